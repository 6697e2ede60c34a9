// Small charts of the last minutes, as SVG.

import { clock, element, setText, shape } from "./shown.js";

const MINUTES = [1, 2, 5, 10];
const [WIDTH, HEIGHT] = [360, 96];

/** A card with a title, the present value and the last ten minutes; `update(points)` draws them. */
export class Chart {
  /** `lines` take a value out of a point, the strongest line last; `show` makes it a text. */
  constructor(card, title, show, lines) {
    this.lines = lines;
    this.show = show;
    this.value = element("p", { class: "value" });
    this.note = element("p", { class: "note muted" });
    this.most = element("span", { class: "most muted" });
    this.paths = lines.map((line) => shape("path", { class: `line ${line.style}` }));
    this.area = shape("path", { class: "area" });
    this.cursor = shape("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
    this.plot = shape(
      "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "plot", role: "img" },
      ...[0.5, 1].map((at) => shape("line", { class: "rule", x1: 0, x2: WIDTH, y1: at * HEIGHT - 0.5, y2: at * HEIGHT - 0.5 })),
      this.area, ...this.paths, this.cursor,
    );
    card.append(
      element("div", { class: "chart-head" }, element("h2", {}, title), this.value), this.note,
      element("div", { class: "plot-box" }, this.most, this.plot),
      element("div", { class: "axis muted", "aria-hidden": "true" }, this.first = element("span"), element("span", {}, "now")),
    );
    this.title = title;
    this.points = [];
    this.pointed = null;
    this.plot.addEventListener("pointermove", (event) => this.#point(event));
    this.plot.addEventListener("pointerleave", () => { this.pointed = null; this.#tell(); });
  }

  update(points, note) {
    this.points = points;
    const most = Math.max(0, ...points.flatMap((each) => this.lines.map((line) => line.of(each) ?? 0)));
    const top = niceTop(most);
    const { minutes, x } = timeline(points, WIDTH);
    setText(this.first, minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`);
    const y = (value) => HEIGHT - 2 - (value / top) * (HEIGHT - 8);
    this.lines.forEach((line, at) => this.paths[at].setAttribute("d", path(points, line.of, x, y)));
    this.area.setAttribute("d", closed(points, this.lines.at(-1).of, x, y));
    setText(this.most, most ? this.show(top) : "");
    this.text = note;
    this.x = x;
    this.#tell();
  }

  #point(event) {
    const box = this.plot.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * WIDTH;
    this.pointed = at;
    this.#tell();
  }

  /** The present, or what the pointer is at. */
  #tell() {
    let point = this.points.at(-1);
    if (this.pointed !== null && this.points.length) {
      const far = (each) => Math.abs(this.x(each.at) - this.pointed);
      point = this.points.reduce((best, each) => (far(each) < far(best) ? each : best));
      this.cursor.setAttribute("x1", this.x(point.at));
      this.cursor.setAttribute("x2", this.x(point.at));
    }
    this.cursor.setAttribute("visibility", this.pointed === null ? "hidden" : "visible");
    const value = point ? this.lines.at(-1).of(point) : null;
    setText(this.value, value === null ? "–" : this.show(value));
    setText(this.note, this.pointed === null || !point ? this.text ?? "" : `at ${clock(point.at)}`);
    this.plot.setAttribute("aria-label", `${this.title}: ${this.value.textContent} now`);
  }
}

/** A line without anything around it, for a row of a table. */
export function sparkline() {
  const [line, area] = [shape("path", { class: "line strong" }), shape("path", { class: "area" })];
  const svg = shape("svg", { viewBox: "0 0 120 28", preserveAspectRatio: "none", class: "spark", "aria-hidden": "true" }, area, line);
  svg.update = (points, of) => {
    const { x } = timeline(points, 120);
    const top = Math.max(1e-9, ...points.map((each) => of(each) ?? 0));
    const y = (value) => 27 - (value / top) * 24;
    line.setAttribute("d", path(points, of, x, y));
    area.setAttribute("d", closed(points, of, x, y, 28));
  };
  return svg;
}

/** As many minutes as there is something to show of, and where a time lies in them. */
function timeline(points, width) {
  const [from, until] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 0];
  const minutes = MINUTES.find((each) => until - from <= each * 60_000) ?? MINUTES.at(-1);
  return { minutes, x: (at) => width * (1 - (until - at) / (minutes * 60_000)) };
}

function path(points, of, x, y) {
  let drawing = false;
  return points.map((each) => {
    const value = of(each);
    if (value === null || value === undefined) { drawing = false; return ""; }
    const step = `${drawing ? "L" : "M"}${x(each.at).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = true;
    return step;
  }).join("");
}

function closed(points, of, x, y, bottom = HEIGHT) {
  // Behind the last gap: under one there is nothing.
  const there = points.slice(points.findLastIndex((each) => (of(each) ?? null) === null) + 1);
  if (there.length < 2) return "";
  return `${path(there, of, x, y)}L${x(there.at(-1).at).toFixed(1)} ${bottom}L${x(there[0].at).toFixed(1)} ${bottom}Z`;
}

/** 1, 2 or 5 times a power of ten that is not below a value. */
export function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= value * 0.999);
}
