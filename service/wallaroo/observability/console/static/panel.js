// The panel of one sub-topology: all that is known of it.

import { cylinder, rowsOf } from "./graph.js";
import { Sheet } from "./sheet.js";
import { byId, clock, count, duration, element, keep, rate, seconds, setClass, setText } from "./shown.js";

const SHOWN_PARTITIONS = 1024;

export class Panel {
  constructor() {
    this.sheet = new Sheet("panel");
    this.name = null;
  }

  open(name, sub, deadLetters) {
    this.name = name;
    this.view = sections(sub, deadLetters);
    setText(byId("panel-title"), name);
    setText(byId("panel-group"), `group ${sub.group}`);
    byId("panel-body").replaceChildren(...this.view.nodes);
    this.sheet.open();
  }

  close() {
    this.sheet.close();
  }

  update(history, stateOf, owners) {
    if (this.sheet.isOpen) this.view.update(history, this.name, stateOf(this.name), owners);
  }
}

function sections(sub, deadLetters) {
  const verdict = element("p", { class: "panel-verdict" });
  const facts = element("dl", { class: "facts-list" });
  const bars = element("div", { class: "bars" });
  const stages = element("ul", { class: "list" });
  const partitions = element("ul", { class: "tiles" });
  const legend = element("p", { class: "muted note" });
  const rows = rowsOf(sub).filter((row) => row.kind !== "key by");
  const title = (text) => element("h3", {}, text);
  const [slowTitle, slow] = [title("Slowest records, since this page was opened"), element("ul", { class: "list" })];
  const nodes = [
    verdict, facts, title("Latency, the last minute"), bars,
    ...(rows.length ? [title("Stages")] : []), stages, slowTitle, slow, title("Partitions"), legend, partitions,
    element("p", { class: "muted small" }, `Reads ${sub.reads.topic}. Writes ${sub.writes.map((each) => each.topic).join(", ") || "nothing"}. Dead letters go to ${deadLetters}.`),
  ];
  return { nodes, update: (history, name, state, owners) => {
    setText(verdict, state.text);
    for (const level of ["good", "warn", "bad"]) setClass(verdict, `${level}-text`, state.level === level);
    keep(facts, factsOf(history, name, sub), (each) => each.name, fact, (node, each) => setText(node.lastChild, each.value));
    keep(bars, histogramsOf(history, name), (each) => each.title, histogram, updateHistogram);
    keep(stages, rows.map((row, at) => stageOf(history, row, at === 0 ? history.rateOf(name) : null)), (each) => each.name, stage, updateStage);
    const slowest = history.slowestIn(name);
    slowTitle.hidden = slowest.length === 0;
    keep(slow, slowest, (each) => each.record, (each) => element("li", {}, element("p", { class: "item-name" }, each.record), element("p", { class: "muted" })), (li, each) => setText(li.lastChild, `${each.stage} · ${duration(each.seconds)}, at ${clock(each.at)}`));
    const shown = partitionsOf(history, name, owners);
    setText(legend, legendOf(shown));
    keep(partitions, shown.slice(0, SHOWN_PARTITIONS), (each) => each.number, tile, updateTile);
  } };
}

function factsOf(history, name, of) {
  const sub = history.now.subs.get(name) ?? {};
  const behind = history.behindOf(name);
  const aborted = sub.commits?.aborted ?? 0;
  return [
    { name: "Records/s", value: rate(history.rateOf(name)) },
    { name: "Lag", value: count(history.lagOf(name)) },
    { name: "Failed", value: count(history.failedIn(of)) },
    { name: "Commits aborted", value: count(aborted) },
    { name: "Rebalances", value: count(sub.rebalances ?? 0) },
    ...(behind === null ? [] : [{ name: "Event time now", value: clock(history.now.at - behind * 1000) }, { name: "Behind the clock", value: seconds(behind) }]),
    ...(of.stages.some((each) => history.now.stages.get(each.name)?.late) ? [{ name: "Late records", value: count(of.stages.reduce((all, each) => all + (history.now.stages.get(each.name)?.late ?? 0), 0)) }] : []),
    ...(sub.in_progress ? [{ name: "At one record for", value: duration(sub.in_progress) }] : []),
  ];
}

const fact = (each) => element("div", {}, element("dt", {}, each.name), element("dd", {}, each.value));

function histogramsOf(history, name) {
  return [
    ["From arrival to commit", "latency"], ["To compute a slice", "slice"], ["To commit", "commit"],
  ].map(([title, field]) => ({ title, values: history.percentiles(name, field) }));
}

function histogram(each) {
  const rows = ["p50", "p95", "p99", "p99.9"].map((label) => element(
    "div", { class: "bar-row" }, element("span", { class: "muted" }, label),
    element("span", { class: "bar", "aria-hidden": "true" }, element("span", { class: "fill" })), element("span", { class: "number" }),
  ));
  return element("div", { class: "bar-group" }, element("h4", {}, each.title), ...rows);
}

function updateHistogram(node, each) {
  [...node.querySelectorAll(".bar-row")].forEach((row, at) => {
    const value = each.values?.[at] ?? null;
    setText(row.lastChild, value === null ? "–" : seconds(value));
    // From 0.1 ms to 100 s, each power of ten as wide as the others.
    const share = value === null ? 0 : Math.min(1, Math.max(0.02, (Math.log10(Math.max(value, 1e-4)) + 4) / 6));
    row.querySelector(".fill").style.width = `${share * 100}%`;
  });
}

/** `speed` is how many records a second it gets, where that is known: of the first stage. */
function stageOf(history, row, speed) {
  const store = row.store ? history.now.stores.get(row.store) : null;
  const failed = history.now.stages.get(row.name) ?? {};
  const reasons = Object.entries({ ...failed.dead_letters, ...failed.dropped }).map(([why, n]) => `${why}: ${count(n)}`);
  const words = [
    row.kind,
    ...(speed === null ? [] : [rate(speed)]),
    ...(store ? [`${count(store.entries ?? 0)} keys`, `${count(history.counterRate("stores", row.store, "changelog"))} changes/s`] : []),
    ...(history.failuresRate(row.name) ? [`${rate(history.failuresRate(row.name))} failing`] : []),
    ...(failed.late ? [`${count(failed.late)} late`] : []),
    ...(reasons.length ? [`failed by ${reasons.join(", ")}`] : []),
  ];
  return { ...row, words: words.join(" · "), restored: row.store ? history.restoredShare(row.store) : null, remaining: store?.restore_remaining ?? 0, isBad: reasons.length > 0 };
}

function stage(each) {
  return element(
    "li", {}, element("p", { class: "item-name" }, ...(each.store ? [cylinder(), " "] : []), each.name),
    element("p", { class: "muted" }),
    element("div", { class: "restore", hidden: true }, element("progress", { max: 1, "aria-label": `Restore of ${each.name}` }), element("span", { class: "muted" })),
  );
}

function updateStage(node, each) {
  const [, words, restore] = node.children;
  setText(words, each.words);
  setClass(words, "bad-text", each.isBad);
  restore.hidden = each.restored === null;
  if (each.restored !== null) {
    restore.firstChild.value = each.restored;
    setText(restore.lastChild, `restoring, ${count(each.remaining)} records to go`);
  }
}

/** One for each partition that is known of, here or elsewhere. */
function partitionsOf(history, name, owners) {
  const alive = new Map(history.now.raw.workers.filter((each) => each.alive).map((each) => [String(each.index), each]));
  const found = new Map();
  for (const { number, instance, url } of owners(name)) found.set(number, { number, owner: instance, where: "elsewhere", url });
  for (const each of history.now.subs.get(name)?.partitions ?? []) {
    const holder = alive.get(each.worker);
    const before = found.get(each.number);
    if (before && !holder && (before.where === "here" || before.lag !== undefined)) continue;
    const owner = holder ? `worker ${each.worker}` : before?.owner ?? "nobody";
    found.set(each.number, { ...each, owner, where: holder ? (holder.instance ? "elsewhere" : "here") : before ? before.where : "nowhere" });
  }
  return [...found.values()].sort((a, b) => a.number - b.number);
}

function legendOf(partitions) {
  const owners = new Map();
  for (const each of partitions) owners.set(each.owner, (owners.get(each.owner) ?? 0) + 1);
  const text = [...owners].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([owner, n]) => `${owner}: ${n}`).join(" · ");
  return text || "No partition is known of yet.";
}

const tile = () => element("li", {}, element("span", { class: "tile-number" }), element("span", { class: "tile-owner muted" }), element("span", { class: "tile-lag" }));

function updateTile(node, each) {
  const [number, owner, lag] = node.children;
  setText(number, each.number);
  setText(owner, each.where === "here" ? each.owner.replace("worker ", "w") : each.where === "nowhere" ? "–" : each.owner);
  setText(lag, each.lag === undefined ? "" : count(each.lag));
  setClass(node, "bad", each.where === "nowhere");
  setClass(node, "warn", each.where !== "nowhere" && each.lag > 1000);
  setClass(node, "elsewhere", each.where === "elsewhere");
  const behind = each.behind === undefined ? "" : `, watermark ${seconds(each.behind)} behind`;
  node.title = `partition ${each.number}: ${each.owner}, lag ${each.lag === undefined ? "unknown" : count(each.lag)}${behind}`;
}
