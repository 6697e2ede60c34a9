// The console: is told once a second what is going on, and shows it. While nobody looks, it asks now and then.

import { ask, askJson, events, keepToken, Refused } from "./asking.js";

import { Chart, sparkline } from "./charts.js";
import { Graph } from "./graph.js";
import { History } from "./history.js";
import { DeadLetters, Results } from "./letters.js";
import { merged } from "./merge.js";
import { Panel } from "./panel.js";
import { byId, clock, count, duration, element, indented, keep, plural, rate, seconds, setClass, setText, time } from "./shown.js";

const EVERY_MS = 1000;
const HIDDEN_EVERY_MS = 5000;
const SILENCE_MS = 5000;

const history = new History();
const panel = new Panel();
let topology = null;
let graph = null;
let instances = null;
let lostSince = null;
let answeredAt = null;
let waiting = null;
let turns = 0;
let started = null;
let stop = null;
// What the other instances said last, by their names.
const others = new Map();

const charts = {
  rate: new Chart(byId("chart-rate"), "Records/s", (value) => count(value), [{ of: (each) => each.rate, style: "strong" }]),
  lag: new Chart(byId("chart-lag"), "Lag", (value) => count(value), [{ of: (each) => each.lag, style: "strong" }]),
  latency: new Chart(byId("chart-latency"), "Latency, p99", (value) => seconds(value), [
    { of: (each) => each.slowest?.latency[0] ?? null, style: "faint" },
    { of: (each) => each.slowest?.latency[1] ?? null, style: "middle" },
    { of: (each) => each.slowest?.latency[2] ?? null, style: "strong" },
  ]),
};

/** Listen, or while nobody looks ask now and then; begin again after a while. What is begun later takes the place of it. */
async function watch() {
  const mine = (turns += 1);
  stop?.abort();
  stop = new AbortController();
  try {
    if (document.hidden) await accept(await askJson("console/snapshot"), mine);
    else for await (const [kind, data] of events("console/stream", SILENCE_MS, stop)) {
      if (mine !== turns) return;
      if (kind === "instances") useInstances(JSON.parse(data));
      else await accept(JSON.parse(data), mine);
    }
  } catch (error) {
    if (mine !== turns) return;
    if (error instanceof Refused) askForToken(error);
    else lost();
  }
  if (mine === turns) waiting = setTimeout(watch, document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
}

/** Show a snapshot, and before it the topology where that may be another one. */
async function accept(own, mine) {
  if (own.identity.started_ms !== started) {
    const found = await askJson("topology?format=json");
    if (mine !== turns) return;
    useTopology(found);
    started = own.identity.started_ms;
  }
  found();
  history.add(merged(own, [...others].map(([name, each]) => [name, each.snapshot])), sources());
  show();
}

/** What others show is used for a while when they cannot be asked. */
function useInstances(answer) {
  instances = answer;
  const now = Date.now();
  for (const each of answer.instances) if (each.snapshot) others.set(each.name, { snapshot: each.snapshot, at: now });
  const known = new Set(answer.instances.map((each) => each.name));
  for (const [name, each] of others) if (now - each.at > (known.has(name) || answer.problem ? 15_000 : 3_000)) others.delete(name);
}

/** The sub-topologies whose input is not made by another one. */
function sources() {
  const made = new Set([...topology.ingests, ...topology.generators].map((each) => each.writes));
  return topology.sub_topologies.filter((sub) => !sub.reads.internal || made.has(sub.reads.topic)).map((sub) => sub.name);
}

function useTopology(found) {
  const isSame = topology !== null && JSON.stringify(topology) === JSON.stringify(found);
  topology = found;
  if (isSame) return;
  panel.close();
  graph?.remove();
  graph = new Graph(byId("graph"), topology, openPanel);
  const stages = topology.sub_topologies.flatMap((sub) => sub.stores).filter((store) => store.stage);
  byId("state-stage").replaceChildren(...stages.map((store) => element("option", { value: store.name }, store.stage)));
  byId("content").hidden = false;
  graph.layOut();
}

function openPanel(name) {
  const sub = topology.sub_topologies.find((each) => each.name === name);
  if (!sub) return;
  panel.open(name, sub, topology.dead_letters);
  panel.update(history, stateOf, ownersElsewhere);
}

function* ownersElsewhere(name) {
  for (const instance of instances?.instances ?? []) {
    if (instance.is_this) continue;
    for (const each of instance.owns) if (each.sub_topology === name) for (const number of each.partitions) yield { number, instance: instance.name, url: instance.url };
  }
}

// What cannot be had

function found() {
  lostSince = null;
  answeredAt = Date.now();
  byId("lost").hidden = true;
  byId("token-form").hidden = true;
  document.body.classList.remove("stale");
}

function lost() {
  lostSince ??= answeredAt ?? Date.now();
  const node = byId("lost");
  node.hidden = false;
  const shown = history.now ? " What you see is from then." : "";
  setText(node, `No answer from this service since ${clock(lostSince)}.${shown} Trying again each second.`);
  document.body.classList.add("stale");
  document.title = "✕ No answer · Wallaroo";
}

function askForToken(refused) {
  const form = byId("token-form");
  byId("lost").hidden = true;
  setText(byId("token-reason"), refused.message);
  if (refused.status === 401 && form.hidden) {
    form.hidden = false;
    byId("token").focus();
  } else if (refused.status !== 401) {
    form.hidden = true;
    byId("lost").hidden = false;
    setText(byId("lost"), refused.message);
  }
  document.body.classList.add("stale");
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(byId("token").value.trim());
  byId("token").value = "";
  again();
});

function again() {
  clearTimeout(waiting);
  watch();
}

document.addEventListener("visibilitychange", () => { if (started !== null) again(); });

// What is shown

/** How a sub-topology is: `level` is good, warn or bad. */
function stateOf(name) {
  const raw = history.now.raw;
  const loops = raw.workers.flatMap((worker) => worker.loops.filter((loop) => loop.name === name).map((loop) => ({ ...loop, worker })));
  const sub = topology.sub_topologies.find((each) => each.name === name);
  const stopped = loops.find((loop) => loop.problem);
  const stuck = loops.find((loop) => loop.uncommitted_since !== null);
  const down = raw.workers.filter((worker) => !worker.alive).map((worker) => worker.index);
  const restoring = loops.reduce((all, loop) => all + loop.restoring, 0);
  const failed = sub && history.moments.length > 1 ? history.failedIn(sub, 300) : 0;
  const bad = [
    stopped && stopped.problem,
    stuck && `nothing could be committed since ${clock(stuck.uncommitted_since)}`,
  ].filter(Boolean);
  const warn = [
    history.isFallingBehind(name) && "falls behind: its lag grows",
    failed && `${count(failed)} failed in the last minutes`,
    down.length && `${down.length === 1 ? "worker" : "workers"} ${down.join(", ")} not running`,
    restoring && `restoring ${plural(restoring, "partition")}`,
    (!loops.length || loops.some((loop) => !loop.assigned && loop.worker.alive)) && "waits for its partitions",
  ].filter(Boolean);
  return { level: bad.length ? "bad" : warn.length ? "warn" : "good", text: [...bad, ...warn].join(" · ") || "works" };
}

function show() {
  showHead();
  showVerdict();
  showCharts();
  showFacts();
  graph.update(history, stateOf);
  showSubs();
  showWorkers();
  showEvents();
  showInstances();
  showLetters();
  panel.update(history, stateOf, ownersElsewhere);
}

function showHead() {
  const { identity, ready, healthy } = history.now.raw.own;
  setText(byId("application"), identity.application);
  setText(byId("instance"), `instance ${identity.instance}`);
  setText(byId("ready"), ready.ok ? "Ready" : "Not ready");
  setText(byId("healthy"), healthy.ok ? "Healthy" : "Not healthy");
  setText(byId("uptime"), `up ${duration((history.now.at - identity.started_ms) / 1000)}`);
  for (const [id, report] of [["ready", ready], ["healthy", healthy]]) {
    setClass(byId(id), "good", report.ok);
    setClass(byId(id), "bad", !report.ok);
  }
  const all = history.now.raw;
  const sign = all.ready.ok && all.healthy.ok ? (notes().length ? "▲" : "●") : "✕ Not ready ·";
  document.title = `${sign} ${identity.application}`;
  setText(byId("versions"), `Wallaroo ${identity.version} · librdkafka ${identity.librdkafka} · Python ${identity.python}. Times are those of this browser; the log's are UTC.`);
  setText(byId("state-off"), "This service shows no states (WALLAROO_EXPOSE_STATE).");
  byId("state-off").hidden = identity.shows_state;
  byId("state-form").hidden = !identity.shows_state;
  for (const id of ["letters-view", "results-card"]) byId(id).hidden = !identity.shows_state;
}

/** What does not keep the service from being ready, and still wants somebody to look. */
function notes() {
  const failures = history.recentFailures;
  const isNew = history.moments.length > 1;
  const behind = topology.sub_topologies.filter((sub) => history.isFallingBehind(sub.name));
  return [
    ...behind.map((sub) => ({ what: `${sub.name} falls behind`, advice: `its lag is ${count(history.lagOf(sub.name))} and grows`, at: null })),
    ...(instances?.instances ?? []).filter((each) => each.problem).map((each) => ({ what: `instance ${each.name} cannot be reached`, advice: `${each.url} ${each.problem}; what it does is not shown here`, at: null })),
    ...(isNew ? failures : []).map((each) => ({ what: `${plural(each.n, "dead letter")} of stage ${each.stage}`, advice: `by ${each.error}; see them under dead letters`, at: null })),
  ];
}

const SHOWN_REASONS = 8;
// What passes by itself comes after what does not.
const PASSES = /: restoring |: no partitions assigned|is starting/;

/** The reasons why the service is not ready, one for all loops of a worker that say the same. */
function told(reasons) {
  const groups = new Map();
  for (const reason of reasons) {
    const [what, ...advice] = reason.split("; ");
    const [, worker, loop, rest] = /^((?:instance .*?: )?worker \d+), loop '(.*?)':? (.*)$/.exec(what) ?? [];
    const key = loop === undefined ? what : `${worker} ${rest}`;
    const group = groups.get(key) ?? { key, what, worker, rest, loops: [], advice: advice.join("; "), at: history.since(reason) };
    if (loop !== undefined) group.loops.push(loop);
    group.at = Math.min(group.at, history.since(reason));
    groups.set(key, group);
  }
  const all = [...groups.values()].map((each) => (each.loops.length < 2 ? each : {
    ...each, what: `${each.worker}, ${each.loops.length} loops: ${each.rest}`,
    advice: `${each.loops.slice(0, 4).join(", ")}${each.loops.length > 4 ? ` and ${each.loops.length - 4} more` : ""}; ${each.advice}`,
  }));
  all.sort((a, b) => PASSES.test(a.what) - PASSES.test(b.what));
  const more = all.length - SHOWN_REASONS;
  return more > 0 ? [...all.slice(0, SHOWN_REASONS), { key: "more", what: `and ${more} more`, advice: "see /readyz", at: null }] : all;
}

function showVerdict() {
  const { ready, healthy, workers } = history.now.raw;
  const isGood = ready.ok && healthy.ok;
  const lines = isGood ? notes() : [...told(new Set([...ready.reasons, ...healthy.reasons])), ...notes()];
  const level = isGood ? (lines.length ? "warn" : "good") : "bad";
  const node = byId("verdict");
  for (const each of ["good", "warn", "bad"]) setClass(node, each, each === level);
  setText(byId("verdict-title"), { good: "All is well", warn: "Works, with something to look at", bad: ready.ok ? "Not healthy" : "Not ready" }[level]);
  const alive = workers.filter((worker) => worker.alive).length;
  const point = history.series.at(-1);
  const flow = point.rate === null ? "" : ` · ${rate(point.rate).replace("/s", "")} records a second`;
  const many = instances?.instances.length > 1 ? ` on ${history.now.raw.instances.length} of ${instances.instances.length} instances` : "";
  setText(byId("verdict-text"), `${alive} of ${plural(workers.length, "worker")} alive${many}${flow} · lag ${count(point.lag)}`);
  keep(byId("reasons"), lines, (each) => (each.key ?? each.what).replace(/\d+(?= s)|^\d+/g, "#"), () => element("li", {}, element("strong"), element("span", { class: "muted" }), element("span", { class: "since muted" })), (li, each) => {
    const [what, advice, since] = li.children;
    setText(what, each.what);
    setText(advice, each.advice);
    const isOlder = each.at === history.opened;
    setText(since, each.at === null ? "" : isOlder ? `since before ${clock(each.at)}, when this page was opened` : `since ${clock(each.at)}, for ${duration((history.now.at - each.at) / 1000)}`);
  });
}

function showCharts() {
  const point = history.series.at(-1);
  charts.rate.update(history.series, `from ${plural(sources().length, "source")}`);
  const worst = [...point.subs].filter(([, each]) => each.lag).sort((a, b) => b[1].lag - a[1].lag)[0];
  charts.lag.update(history.series, worst ? `most of it: ${worst[0]}` : "nothing waits");
  const slowest = point.slowest;
  charts.latency.update(history.series, slowest ? `p50 ${seconds(slowest.latency[0])} · p95 ${seconds(slowest.latency[1])} · ${slowest.name}` : "no commit in the last minute");
}

function showFacts() {
  const { raw, subs, stores, stages } = history.now;
  const add = (list, of) => list.reduce((all, each) => all + (of(each) ?? 0), 0);
  const alive = raw.workers.filter((worker) => worker.alive).length;
  const restarts = add(raw.workers, (worker) => worker.restarts);
  const failed = history.failedOf([...stages.keys()]);
  const restoring = add(raw.workers.flatMap((worker) => worker.loops), (loop) => loop.restoring);
  const remaining = add([...stores.values()], (store) => store.restore_remaining);
  const facts = [
    { name: "Workers alive", value: `${alive} of ${raw.workers.length}`, bad: alive < raw.workers.length },
    { name: "Restarts", value: count(restarts), warn: restarts > 0 },
    { name: "Partitions", value: count(add([...subs.values()], (sub) => sub.assigned)) },
    { name: "Keys in state", value: count(add([...stores.values()], (store) => store.entries)) },
    { name: "Failed records", value: count(failed), warn: failed > 0 },
    { name: "Aborted commits", value: count(add([...subs.values()], (sub) => sub.commits?.aborted)) },
    ...(restoring ? [{ name: `Restoring, ${count(remaining)} records to go`, key: "restoring", value: plural(restoring, "partition"), warn: true }] : []),
  ];
  keep(byId("facts"), facts, (each) => each.key ?? each.name, (each) => element("div", {}, element("dt", {}, each.name), element("dd")), (node, each) => {
    setText(node.firstChild, each.name);
    setText(node.lastChild, each.value);
    setClass(node.lastChild, "bad-text", each.bad);
    setClass(node.lastChild, "warn-text", each.warn);
  });
}

function showSubs() {
  const names = [...topology.sub_topologies.map((each) => each.name), ...topology.deliveries.map((each) => each.name)];
  const worth = { bad: 0, warn: 1, good: 2 };
  const rows = names.map((name, at) => ({ name, at, state: stateOf(name), lag: history.lagOf(name), sub: topology.sub_topologies.find((each) => each.name === name) }));
  // Small lags come and go; rows that change places all the time cannot be read.
  const weight = (row) => (row.lag > 1000 ? Math.floor(Math.log10(row.lag)) : 0);
  rows.sort((a, b) => worth[a.state.level] - worth[b.state.level] || weight(b) - weight(a) || a.at - b.at);
  keep(byId("subs"), rows, (row) => row.name, makeRow, (tr, row) => {
    const latency = history.percentiles(row.name, "latency");
    const [speed, lag, p99, failed, spark] = [...tr.children].slice(1);
    setText(speed, count(history.rateOf(row.name)));
    setText(lag, count(row.lag));
    setText(p99, latency ? seconds(latency[2]) : "–");
    setText(failed, row.sub ? count(history.failedIn(row.sub)) : "–");
    for (const level of ["good", "warn", "bad"]) setClass(tr, level, row.state.level === level);
    setText(tr.querySelector(".why"), row.state.level === "good" ? "" : row.state.text);
    spark.firstChild.update(history.series, (point) => point.subs.get(row.name)?.rate ?? null);
  });
}

function makeRow(row) {
  const name = row.sub ? element("button", { type: "button", class: "link", title: row.name }, row.name) : element("span", { title: row.name }, row.name);
  if (row.sub) name.addEventListener("click", () => openPanel(row.name));
  return element(
    "tr", {}, element("th", { scope: "row" }, element("span", { class: "row-name" }, element("span", { class: "dot", "aria-hidden": "true" }), name, element("span", { class: "why" }))),
    ...[0, 1, 2, 3].map(() => element("td", { class: "number" })), element("td", {}, sparkline()),
  );
}

function showWorkers() {
  const { workers } = history.now.raw;
  keep(byId("workers"), workers, (each) => each.index, (each) => element("li", {}, element("p", { class: "item-name" }, element("span", { class: "dot", "aria-hidden": "true" }), `Worker ${each.index}`), element("p", { class: "muted" })), (li, each) => {
    const level = !each.alive ? "bad" : !each.ready || each.answer_age > 2 ? "warn" : "good";
    for (const name of ["good", "warn", "bad"]) setClass(li, name, name === level);
    const partitions = each.loops.reduce((all, loop) => all + loop.partitions, 0);
    const words = [
      each.alive ? (each.ready ? `up ${duration(each.uptime)}` : "starting") : "not running",
      ...(each.alive ? [plural(partitions, "partition")] : []),
      ...(each.restarts ? [plural(each.restarts, "restart")] : []),
      ...(each.alive && each.answer_age > 2 ? [`silent for ${duration(each.answer_age)}`] : []),
      ...(each.last_death ? [`last end: ${each.last_death}`] : []),
    ];
    setText(li.lastChild, words.join(" · "));
  });
}

function showEvents() {
  const events = history.events.slice(0, 40);
  const none = [{ at: history.opened, until: history.opened, kind: "info", text: "This page was opened; nothing has happened since.", times: 1, first: true }];
  keep(byId("events"), events.length ? events : none, (each) => `${each.at} ${each.text}`, (each) => element("li", { class: each.kind }, time(each.at), element("span", {}, each.text), element("span", { class: "muted" })), (li, each) => setText(li.lastChild, each.times > 1 ? `until ${clock(each.until)}` : ""));
}

function showInstances() {
  const problem = byId("instances-problem");
  problem.hidden = !instances?.problem;
  setText(problem, instances?.problem ?? "");
  const own = history.now.raw.own.identity.instance;
  const known = instances?.instances ?? [];
  const list = known.some((each) => each.is_this) ? known : [{ name: own, is_this: true, owns: [], host: "", url: "" }, ...known];
  keep(byId("instances"), list, (each) => `${each.name} ${each.url}`, makeInstance, (li, each) => {
    const partitions = each.owns.reduce((all, owned) => all + owned.partitions.length, 0);
    const seen = each.is_this ? history.now.raw.own : others.get(each.name)?.snapshot;
    const alive = seen?.workers.filter((worker) => worker.alive).length;
    const words = [
      seen ? (seen.ready.ok && seen.healthy.ok ? "ready" : "not ready") : each.problem || "this page cannot reach it: it sets no advertised_http",
      ...(seen ? [`${alive} of ${plural(seen.workers.length, "worker")}`] : []),
      ...(each.owns.length ? [plural(partitions, "partition")] : []),
      ...(each.host ? [`seen at ${each.host}`] : []),
    ];
    const level = !seen ? (each.problem ? "bad" : "") : each.problem || !(seen.ready.ok && seen.healthy.ok) ? "warn" : "good";
    for (const name of ["good", "warn", "bad"]) setClass(li, name, name === level);
    setText(li.lastChild, words.join(" · "));
  });
}

function makeInstance(each) {
  const isWeb = /^https?:\/\//.test(each.url);
  const name = !each.is_this && isWeb ? element("a", { href: each.url, rel: "noreferrer" }, each.name) : element("span", {}, each.name);
  return element("li", {}, element("p", { class: "item-name" }, element("span", { class: "dot", "aria-hidden": "true" }), name, ...(each.is_this ? [element("span", { class: "tag" }, "this one")] : [])), element("p", { class: "muted" }));
}

function showLetters() {
  const rows = [...history.now.stages.values()].flatMap((stage) => [
    ...Object.entries(stage.dead_letters ?? {}).map(([why, n]) => ({ stage: stage.name, why, n })),
    ...Object.entries(stage.dropped ?? {}).map(([why, n]) => ({ stage: stage.name, why: `dropped: ${why}`, n })),
  ]).filter((each) => each.n > 0).sort((a, b) => b.n - a.n);
  setText(byId("letters-topic"), rows.length ? `Since the start of each worker; they are in ${topology.dead_letters}.` : `None since the start of the workers. They would be in ${topology.dead_letters}.`);
  keep(byId("letters"), rows, (each) => `${each.stage} ${each.why}`, (each) => element("li", { class: "pair" }, element("span", { class: "item-name" }, each.stage, element("span", { class: "muted block" }, each.why)), element("span", { class: "number" })), (li, each) => setText(li.lastChild, count(each.n)));
}

// Look up a state

byId("state-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [stage, key] = [byId("state-stage").value, byId("state-key").value];
  const [where, value] = [byId("state-where"), byId("state-value")];
  value.hidden = true;
  if (key === "." || key === "..") {
    setText(where, "A browser cannot ask for this key: in an address it means a folder. Ask with curl --path-as-is.");
    return;
  }
  setText(where, "Asking …");
  try {
    const answer = await ask(`state/${encodeURIComponent(stage)}/${encodeURIComponent(key)}`);
    const text = await answer.text();
    const said = JSON.parse(text);
    if (!answer.ok) { setText(where, said.error); return; }
    setText(where, `Partition ${said.partition}, worker ${said.worker}${said.instance ? ` of instance ${said.instance}` : ""}, at ${clock(Date.now())}`);
    // As the service wrote it: JavaScript would round large numbers.
    value.textContent = indented(text.slice(text.indexOf('"value":', text.indexOf('"partition":')) + 8, -1));
    value.hidden = false;
  } catch (error) {
    setText(where, error instanceof Refused ? error.message : "No answer; try again in a moment.");
  }
});

new DeadLetters();
new Results();
watch();
