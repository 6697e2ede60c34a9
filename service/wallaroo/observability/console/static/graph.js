// The topology from left to right (on a narrow screen from top to bottom): boxes are HTML, edges one SVG.

import { count, element, rate, setClass, setText, shape } from "./shown.js";

const BOX = { sub: 232, topic: 176 };
const TOPIC_HEIGHT = 52;
const [HEAD, ROW, FOOT] = [38, 28, 34];
const GAP = { along: 76, across: 22 };
const NARROW = 700;
const LEAST_SCALE = 0.62;

/** Nodes and edges of what `/topology` describes; `open(name)` is called for the chosen sub-topology. */
export function parts(topology) {
  const nodes = new Map();
  const edges = [];
  const add = (id, node) => nodes.get(id) ?? (nodes.set(id, { id, ...node }), nodes.get(id));
  const topic = (name) => add(`topic ${name}`, { kind: "topic", name, short: short(name, topology.application_id) });
  const internal = (name) => Object.assign(topic(name), { internal: true });
  for (const each of topology.ingests) {
    add(`source ${each.name}`, { kind: "source", name: each.name, short: each.name, detail: each.listens });
    edges.push({ from: `source ${each.name}`, to: internal(each.writes).id, of: ["source", each.name] });
  }
  for (const each of topology.generators) {
    add(`source ${each.name}`, { kind: "source", name: each.name, short: each.name, detail: "generator" });
    edges.push({ from: `source ${each.name}`, to: internal(each.writes).id, of: ["source", each.name] });
  }
  for (const sub of topology.sub_topologies) {
    const node = add(`sub ${sub.name}`, { kind: "sub", name: sub.name, short: sub.name, rows: rowsOf(sub), sub });
    edges.push({ from: (sub.reads.internal ? internal : topic)(sub.reads.topic).id, to: node.id, of: ["sub", sub.name] });
    for (const each of sub.writes) {
      edges.push({ from: node.id, to: (each.kind === "topic" ? topic : internal)(each.topic).id, of: ["topic", each.topic] });
    }
  }
  for (const each of topology.deliveries) {
    const id = `sink ${each.name}`;
    add(id, { kind: "sink", name: each.name, short: each.name, detail: each.sends });
    edges.push({ from: internal(each.reads).id, to: id, of: ["sink", each.name] });
  }
  return { nodes: [...nodes.values()], edges: unique(edges) };
}

function unique(edges) {
  return [...new Map(edges.map((each) => [`${each.from}\n${each.to}`, each])).values()];
}

/** What a topic is called without the name of the application, which all internal ones begin with. */
function short(name, application) {
  return name.startsWith(`${application}-`) ? name.slice(application.length + 1) : name;
}

/** The stages of a sub-topology with what they keep, and the key that it ends with. */
export function rowsOf(sub) {
  const stages = sub.stages.map((stage) => ({
    name: stage.name, kind: stage.kind, store: sub.stores.find((store) => store.stage === stage.name)?.name ?? null,
  }));
  const keys = sub.writes.filter((each) => each.kind === "repartition").map((each) => ({ name: each.by, kind: "key by", store: null }));
  return [...stages, ...keys];
}

/** The nodes by how far they are from a source; an edge that leads back to where it came from does not count. */
export function layers(nodes, edges) {
  const ahead = forward(nodes, edges);
  const into = new Map(nodes.map((node) => [node.id, []]));
  for (const edge of ahead) into.get(edge.to).push(edge.from);
  const depth = new Map();
  const depthOf = (id) => {
    if (!depth.has(id)) depth.set(id, Math.max(-1, ...into.get(id).map(depthOf)) + 1);
    return depth.get(id);
  };
  const rows = [];
  for (const node of nodes) (rows[depthOf(node.id)] ??= []).push(node);
  return order(rows, into, ahead);
}

/** The edges without those that close a circle, as a topic does that its own application reads. */
function forward(nodes, edges) {
  const written = new Set(edges.map((edge) => edge.to));
  const [open, done, found] = [new Set(), new Set(), []];
  const visit = (id) => {
    if (done.has(id)) return;
    done.add(id);
    open.add(id);
    for (const edge of edges) {
      if (edge.from !== id || open.has(edge.to)) continue;
      found.push(edge);
      visit(edge.to);
    }
    open.delete(id);
  };
  for (const node of [...nodes].sort((one, other) => written.has(one.id) - written.has(other.id))) visit(node.id);
  return found;
}

/** Put what is connected at the same height, so that fewer edges cross. */
function order(rows, into, edges) {
  const out = new Map();
  for (const edge of edges) out.set(edge.from, [...(out.get(edge.from) ?? []), edge.to]);
  for (let round = 0; round < 4; round += 1) {
    const [near, turn] = round % 2 ? [(id) => out.get(id) ?? [], [...rows].reverse()] : [(id) => into.get(id), rows];
    const place = new Map(rows.flatMap((row) => row.map((node, at) => [node.id, (at + 0.5) / row.length])));
    for (const row of turn) {
      const middle = (node) => {
        const places = near(node.id).map((id) => place.get(id));
        return places.length ? places.reduce((a, b) => a + b, 0) / places.length : place.get(node.id);
      };
      row.sort((a, b) => middle(a) - middle(b));
      row.forEach((node, at) => place.set(node.id, (at + 0.5) / row.length));
    }
  }
  return rows;
}

const heightOf = (node) => (node.kind === "sub" ? HEAD + node.rows.length * ROW + FOOT : TOPIC_HEIGHT);
const widthOf = (node) => (node.kind === "sub" ? BOX.sub : BOX.topic);

/** Where each node is: `x`, `y`, `width`, `height`; and how large the whole is. */
export function placed(rows, edges, isNarrow) {
  const [along, across, gap] = isNarrow ? [heightOf, widthOf, 46] : [widthOf, heightOf, GAP.along];
  const middles = aligned(rows, edges, across);
  const least = Math.min(...rows.flat().map((node) => middles.get(node.id) - across(node) / 2));
  const most = Math.max(...rows.flat().map((node) => middles.get(node.id) + across(node) / 2));
  const boxes = new Map();
  let at = 0;
  for (const row of rows) {
    const size = Math.max(...row.map(along));
    for (const node of row) {
      const [a, b] = [at + (size - along(node)) / 2, middles.get(node.id) - across(node) / 2 - least];
      boxes.set(node.id, { x: isNarrow ? b : a, y: isNarrow ? a : b, width: widthOf(node), height: heightOf(node) });
    }
    at += size + gap;
  }
  const [length, breadth] = [at - gap, most - least];
  return { boxes, width: isNarrow ? breadth : length, height: isNarrow ? length : breadth };
}

/** The middle of each node across: the broadest row is packed, all others follow what they are connected with. */
function aligned(rows, edges, across) {
  const breadth = (row) => row.reduce((all, node) => all + across(node) + GAP.across, -GAP.across);
  const anchor = rows.reduce((best, row, at) => (breadth(row) > breadth(rows[best]) ? at : best), 0);
  const middles = new Map();
  const put = (row) => {
    const wanted = row.map((node) => {
      const near = edges.flatMap((each) => (each.from === node.id ? [each.to] : each.to === node.id ? [each.from] : []))
        .map((id) => middles.get(id)).filter((each) => each !== undefined);
      return near.length ? near.reduce((a, b) => a + b, 0) / near.length : null;
    });
    let end = -Infinity;
    const found = row.map((node, at) => {
      const half = across(node) / 2;
      const free = end === -Infinity ? wanted[at] ?? 0 : end + GAP.across + half;
      const middle = Math.max(free, wanted[at] ?? free);
      end = middle + half;
      return middle;
    });
    // What was pushed on is brought back by the half of it.
    const pushed = found.map((each, at) => each - (wanted[at] ?? each));
    const back = (Math.max(...pushed) + Math.min(...pushed)) / 2;
    row.forEach((node, at) => middles.set(node.id, found[at] - back));
  };
  put(rows[anchor]);
  for (let at = anchor - 1; at >= 0; at -= 1) put(rows[at]);
  for (let at = anchor + 1; at < rows.length; at += 1) put(rows[at]);
  return middles;
}

/** The picture of one topology in `parent`; it is laid out again when the place gets another size. */
export class Graph {
  constructor(parent, topology, open) {
    this.parent = parent;
    Object.assign(this, parts(topology));
    this.rows = layers(this.nodes, this.edges);
    this.writers = new Map();
    for (const edge of this.edges) this.writers.set(edge.to, (this.writers.get(edge.to) ?? 0) + 1);
    this.views = new Map(this.nodes.map((node) => [node.id, view(node, open)]));
    this.lines = this.edges.map(() => shape("path", { class: "edge" }));
    this.labels = this.edges.map(() => element("span", { class: "edge-label" }));
    this.svg = shape("svg", { class: "edges", "aria-hidden": "true" }, ...this.lines);
    this.inner = element("div", { class: "graph-inner" }, this.svg, ...[...this.views.values()].map((each) => each.box), ...this.labels);
    this.outer = element("div", { class: "graph-outer" }, this.inner);
    parent.replaceChildren(this.outer);
    this.watch = new ResizeObserver(() => this.layOut());
    this.watch.observe(parent);
  }

  remove() {
    this.watch.disconnect();
  }

  layOut() {
    const room = this.parent.clientWidth - 32;
    const isNarrow = room < NARROW;
    const { boxes, width, height } = placed(this.rows, this.edges, isNarrow);
    const scale = Math.max(LEAST_SCALE, Math.min(1, room / width));
    for (const [id, box] of boxes) {
      const { style } = this.views.get(id).box;
      [style.left, style.top, style.width, style.height] = [box.x, box.y, box.width, box.height].map((each) => `${each}px`);
    }
    this.edges.forEach((edge, at) => this.#draw(at, boxes.get(edge.from), boxes.get(edge.to), isNarrow));
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    [this.inner.style.width, this.inner.style.height] = [`${width}px`, `${height}px`];
    this.inner.style.transform = `scale(${scale})`;
    [this.outer.style.width, this.outer.style.height] = [`${width * scale}px`, `${height * scale}px`];
  }

  #draw(at, from, to, isNarrow) {
    const [x1, y1] = isNarrow ? [from.x + from.width / 2, from.y + from.height] : [from.x + from.width, from.y + from.height / 2];
    const [x2, y2] = isNarrow ? [to.x + to.width / 2, to.y] : [to.x, to.y + to.height / 2];
    const bend = (isNarrow ? y2 - y1 : x2 - x1) / 2;
    const curve = isNarrow ? `C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` : `C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    this.lines[at].setAttribute("d", `M${x1} ${y1}${curve}`);
    const { style } = this.labels[at];
    [style.left, style.top] = [`${(x1 + x2) / 2}px`, `${(y1 + y2) / 2}px`];
  }

  /** Show what is going on now. */
  update(history, stateOf) {
    const { now } = history;
    for (const node of this.nodes) if (node.kind === "sub") this.#updateSub(node, history, stateOf(node.name));
    for (const node of this.nodes.filter((each) => each.kind === "sink")) {
      const sink = now.sinks.get(node.name);
      const isAway = sink?.connected === 0;
      setText(this.views.get(node.id).detail, isAway ? "not connected" : node.detail);
      setClass(this.views.get(node.id).box, "bad", isAway);
    }
    this.edges.forEach((edge, at) => {
      const [kind, name] = edge.of;
      const flow = {
        sub: () => history.rateOf(name),
        topic: () => history.counterRate("topics", name, "produced"),
        source: () => history.counterRate("sources", name, "ingested"),
        sink: () => history.counterRate("sinks", name, "delivered"),
      }[kind]();
      // Of a topic that several write it is only known what comes together.
      const isShared = kind === "topic" && this.writers.get(edge.to) > 1;
      const shown = isShared ? this.views.get(edge.to).detail : this.labels[at];
      setText(shown, flow === null ? "" : rate(flow) + (isShared ? " in all" : ""));
      setClass(this.lines[at], "flows", flow > 0);
      setClass(this.labels[at], "still", !(flow > 0));
      this.lines[at].style.strokeWidth = String(flow > 0 ? Math.min(5, 1.5 + Math.log10(1 + flow) * 0.6) : 1.5);
    });
  }

  #updateSub(node, history, state) {
    const parts = this.views.get(node.id);
    const lag = history.lagOf(node.name);
    setText(parts.lag, lag === null ? "no lag known" : `lag ${count(lag)}`);
    setText(parts.rate, rate(history.rateOf(node.name)));
    for (const level of ["good", "warn", "bad"]) setClass(parts.box, level, state.level === level);
    node.rows.forEach((row, at) => {
      const restored = row.store && history.restoredShare(row.store);
      const entries = row.store && history.now.stores.get(row.store)?.entries;
      const failed = history.failedOf([row.name]);
      const words = [
        failed ? `${count(failed)} failed` : "",
        restored !== null && restored !== undefined && row.store ? `restoring ${Math.round(restored * 100)} %` : entries !== null && entries !== undefined && row.store ? count(entries) : "",
      ].filter(Boolean);
      setText(parts.rows[at], words.join(" · "));
      setClass(parts.rows[at], "bad-text", failed > 0);
    });
    setText(parts.state, state.text);
  }
}

function view(node, open) {
  if (node.kind !== "sub") {
    const detail = element("span", { class: "detail muted" }, node.detail ?? { topic: node.internal ? "internal topic" : "topic" }[node.kind]);
    const box = element("div", { class: `node ${node.kind}${node.internal ? " internal" : ""}`, title: node.name }, element("span", { class: "name" }, node.short), detail);
    return { box, detail };
  }
  const rows = node.rows.map(() => element("span", { class: "row-value" }));
  const state = element("span", { class: "unseen" });
  const [lag, speed] = [element("span", { class: "lag" }), element("span", { class: "rate" })];
  const box = element(
    "button", { type: "button", class: "node sub", title: node.name },
    element("span", { class: "node-head" }, element("span", { class: "dot", "aria-hidden": "true" }), element("span", { class: "name" }, node.short), state),
    ...node.rows.map((row, at) => element(
      "span", { class: `row${row.kind === "key by" ? " key" : ""}`, title: `${row.name} (${row.kind})` },
      row.store ? cylinder() : element("span", { class: "glyph", "aria-hidden": "true" }, row.kind === "key by" ? "⤳" : "ƒ"),
      element("span", { class: "name" }, row.kind === "key by" ? `key by ${row.name}` : row.name), rows[at],
    )),
    element("span", { class: "node-foot" }, speed, lag),
  );
  box.addEventListener("click", () => open(node.name));
  return { box, rows, lag, rate: speed, state };
}

export function cylinder() {
  return shape(
    "svg", { viewBox: "0 0 14 16", class: "glyph", width: 12, height: 14, "aria-hidden": "true" },
    shape("path", { d: "M1 3.5v9c0 1.4 2.7 2.5 6 2.5s6-1.1 6-2.5v-9", class: "cylinder" }),
    shape("ellipse", { cx: 7, cy: 3.5, rx: 6, ry: 2.5, class: "cylinder" }),
  );
}
