// Snapshots of all instances of an application become one.

/** One snapshot of all: `own` is that of the instance whose page this is, `others` are pairs of name and snapshot. */
export function merged(own, others) {
  const all = [["", own], ...others.filter(([, each]) => each?.identity?.application === own.identity.application)];
  if (all.length === 1) return { ...own, own, instances: [""] };
  const named = all.map(([name, each]) => ofInstance(name, each));
  const both = (field) => ({ ok: named.every((each) => each[field].ok), reasons: named.flatMap((each) => each[field].reasons) });
  const lists = ["sub_topologies", "topics", "stores", "stages", "sources", "sinks"];
  return {
    ...own, own, instances: all.map(([name]) => name), ready: both("ready"), healthy: both("healthy"),
    workers: named.flatMap((each) => each.workers),
    ...Object.fromEntries(lists.map((list) => [list, byName(named.flatMap((each) => each[list]))])),
  };
}

/** A snapshot whose workers and reasons say of which instance they are. */
function ofInstance(name, raw) {
  const id = (worker) => (name ? `${worker} of ${name}` : String(worker));
  const said = (report) => ({ ...report, reasons: report.reasons.map((each) => (name ? `instance ${name}: ${each}` : each)) });
  return {
    ...raw, ready: said(raw.ready), healthy: said(raw.healthy),
    workers: raw.workers.map((each) => ({ ...each, index: name ? id(each.index) : each.index, instance: name })),
    sub_topologies: raw.sub_topologies.map((sub) => ({
      ...sub, partitions: (sub.partitions ?? []).map((each) => ({ ...each, worker: id(each.worker) })),
    })),
  };
}

function byName(items) {
  const found = new Map();
  for (const item of items) found.set(item.name, found.has(item.name) ? sum(found.get(item.name), item) : item);
  return [...found.values()];
}

// What does not add up.
const JOINED = { name: (one) => one, partitions: (one, other) => [...one, ...other], in_progress: Math.max };

/** Numbers are added, also inside of lists and objects. */
function sum(one, other) {
  if (one === undefined || other === undefined) return one ?? other;
  if (typeof one === "number") return one + other;
  if (Array.isArray(one)) return one.map((each, at) => each + (other[at] ?? 0));
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  const join = (key) => (Object.hasOwn(JOINED, key) && Object.hasOwn(one, key) && Object.hasOwn(other, key) ? JOINED[key] : sum);
  return Object.fromEntries([...keys].map((key) => [key, join(key)(one[key], other[key])]));
}
