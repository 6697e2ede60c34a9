// How values are shown. Whatever comes from the service is put in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a child that is no node becomes text. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** Change a text only where it differs, so that a selection and a screen reader are left in peace. */
export function setText(node, text) {
  if (node.textContent !== String(text)) node.textContent = String(text);
}

export function setClass(node, name, on) {
  node.classList.toggle(name, Boolean(on));
}

/** Keep one child for each item, in their order; `make` creates it, `update` shows the item in it. */
export function keep(parent, items, keyOf, make, update) {
  const before = (parent.kept ??= new Map());
  const after = new Map();
  items.forEach((item, at) => {
    const key = keyOf(item);
    const node = before.get(key) ?? make(item);
    update(node, item);
    after.set(key, node);
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
  for (const [key, node] of before) if (!after.has(key)) node.remove();
  parent.kept = after;
}

/** 0.4, 12, 1,234, 56.7 k, 1.23 M */
export function count(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  if (value < 10 && !Number.isInteger(value)) return value < 0.05 ? "<0.1" : value.toFixed(1);
  if (value < 9999.5) return Math.round(value).toLocaleString("en");
  const [size, unit] = [[1e3, "k"], [1e6, "M"], [1e9, "G"]].findLast(([each]) => value >= each * 0.9995);
  return `${Number((value / size).toPrecision(3))} ${unit}`;
}

export const rate = (value) => (value === null || value === undefined ? "–" : `${count(value)}/s`);

/** 3.2 ms, 84 ms, 1.2 s, 4 min */
export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.001) return value === 0 ? "0 ms" : "<1 ms";
  if (value < 0.01) return `${(value * 1000).toFixed(1)} ms`;
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${Number(value.toFixed(1))} s`;
  return duration(value);
}

/** 12 s, 4 min, 3 h 12 min, 5 d 3 h */
export function duration(value) {
  const all = Math.max(0, Math.round(value));
  const [days, hours, minutes] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24, Math.floor(all / 60) % 60];
  if (all < 60) return `${all} s`;
  if (all < 3600) return all < 600 ? `${minutes} min ${all % 60} s` : `${minutes} min`;
  return days ? `${days} d ${hours} h` : `${hours} h ${minutes} min`;
}

const two = (number) => String(number).padStart(2, "0");

export function clock(ms) {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function time(ms) {
  return element("time", { datetime: new Date(ms).toISOString(), title: new Date(ms).toISOString() }, clock(ms));
}

/** A time of any day: the day is there where it is not today. */
export function moment(ms) {
  const at = new Date(ms);
  const day = at.toDateString() === new Date().toDateString() ? "" : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  return element("time", { datetime: at.toISOString(), title: at.toISOString() }, `${day}${clock(ms)}`);
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** JSON text with line breaks; the text is not read as numbers, which may be larger than JavaScript's. */
export function indented(text) {
  let [out, depth, inText] = ["", 0, false];
  const line = () => `\n${"  ".repeat(depth)}`;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (inText) {
      out += sign;
      if (sign === "\\") out += text[(at += 1)] ?? "";
      else if (sign === '"') inText = false;
      continue;
    }
    const isEmpty = /^[[{]\s*[\]}]/.exec(text.slice(at, at + 9));
    if (isEmpty) { out += sign + isEmpty[0].at(-1); at += isEmpty[0].length - 1; }
    else if (sign === "{" || sign === "[") { depth += 1; out += sign + line(); }
    else if (sign === "}" || sign === "]") { depth -= 1; out += line() + sign; }
    else if (sign === ",") out += sign + line();
    else if (sign === ":") out += ": ";
    else if (!/\s/.test(sign)) { out += sign; inText = sign === '"'; }
  }
  return out;
}
