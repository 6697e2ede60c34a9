// What snapshots become one after another: rates, percentiles, the last minutes, and events.

const KEPT_SECONDS = 600;
const RATE_SECONDS = 5;
const LATENCY_SECONDS = 60;
const EVENTS_KEPT = 200;
const FAILED_RECENTLY_SECONDS = 300;
const [SLOW_KEPT, SLOW_SHOWN] = [100, 10];
// How a service says that user code does not come to an end with a record.
const SLOW = /^(stage '.*?'|the application's code) has been at one record for (\d+) s: (.*?)(?: \([^()]*\))?; nothing behind it moves/;

const sum = (values) => values.reduce((all, each) => all + each, 0);
const byName = (list) => new Map((list ?? []).map((each) => [each.name, each]));
const total = (counts) => sum(Object.values(counts ?? {}));

/** The snapshots of the last minutes as the page needs them. */
export class History {
  constructor() {
    this.moments = [];
    this.series = [];
    this.events = [];
    this.restoreMost = new Map();
    this.reasonsSince = new Map();
    this.slow = new Map();
    this.opened = null;
  }

  /** `sources` are the names of the sub-topologies that read what is not the application's own. */
  add(raw, sources) {
    const moment = {
      at: raw.at, raw, subs: byName(raw.sub_topologies), topics: byName(raw.topics), stores: byName(raw.stores),
      stages: byName(raw.stages), sources: byName(raw.sources), sinks: byName(raw.sinks),
    };
    // Counters of an instance that has come or gone are no change of the others.
    if (String(this.now?.raw.instances) !== String(raw.instances)) this.moments = [];
    const before = this.now;
    // The service answers several pages with one snapshot.
    if (before && moment.at === before.at) return;
    this.opened ??= moment.at;
    this.moments.push(moment);
    this.#noteReasons(moment);
    this.#noteRestores(moment);
    this.#noteSlow(moment);
    this.#noteEvents(before, moment);
    while (this.moments.length > 2 && moment.at - this.moments[1].at > FAILED_RECENTLY_SECONDS * 1000) this.moments.shift();
    this.series.push(this.#point(moment, sources));
    while (moment.at - this.series[0].at > KEPT_SECONDS * 1000) this.series.shift();
  }

  get now() {
    return this.moments.at(-1);
  }

  /** The newest snapshot that is so old, or the oldest one. */
  #ago(seconds) {
    const until = this.now.at - seconds * 1000;
    return this.moments.findLast((each) => each.at <= until) ?? this.moments[0];
  }

  /** Records a second through a sub-topology; null before there are two snapshots. */
  rateOf(name) {
    const [before, now] = [this.#ago(RATE_SECONDS), this.now];
    if (before === now) return null;
    // By partition and worker: the counters of partitions that have moved are gone, or begin again.
    const earlier = new Map((before.subs.get(name)?.partitions ?? []).map((each) => [`${each.worker} ${each.number}`, each]));
    const records = (now.subs.get(name)?.partitions ?? []).map((each) => {
      const was = earlier.get(`${each.worker} ${each.number}`)?.processed ?? (each.processed > 0 ? each.processed : 0);
      return Math.max(0, (each.processed ?? 0) - was);
    });
    return sum(records) / ((now.at - before.at) / 1000);
  }

  /** The rate of a counter of what `group` holds by name: topics, sinks, sources. */
  counterRate(group, name, field) {
    const [before, now] = [this.#ago(RATE_SECONDS), this.now];
    if (before === now) return null;
    const grown = (now[group].get(name)?.[field] ?? 0) - (before[group].get(name)?.[field] ?? 0);
    return Math.max(0, grown) / ((now.at - before.at) / 1000);
  }

  lagOf(name) {
    const lags = (this.now.subs.get(name)?.partitions ?? []).map((each) => each.lag).filter((lag) => lag !== undefined);
    return lags.length ? sum(lags) : null;
  }

  behindOf(name) {
    const behind = (this.now.subs.get(name)?.partitions ?? []).map((each) => each.behind).filter((each) => each !== undefined);
    return behind.length ? Math.max(...behind) : null;
  }

  /** The 50th, 95th, 99th and 99.9th percentile of a histogram over the last minute; null without an observation. */
  percentiles(name, histogram) {
    const [before, now] = [this.#ago(LATENCY_SECONDS).subs.get(name)?.[histogram], this.now.subs.get(name)?.[histogram]];
    if (!now || this.moments.length < 2) return null;
    const grown = now.map((each, at) => each - (before?.[at] ?? 0));
    // A worker that has started again counts from 0.
    const counts = grown.some((each) => each < 0) ? now : grown;
    const all = sum(counts);
    return all ? [0.5, 0.95, 0.99, 0.999].map((share) => quantile(counts, this.now.raw.bounds[histogram], share * all)) : null;
  }

  /** How many records a second fail in a stage. */
  failuresRate(stage) {
    const seconds = (this.now.at - this.#ago(RATE_SECONDS).at) / 1000;
    return seconds ? this.failedOf([stage], RATE_SECONDS) / seconds : 0;
  }

  /** The records of a sub-topology that have kept user code busy for longest, since the page was opened. */
  slowestIn(name) {
    return [...this.slow.values()].filter((each) => each.name === name).sort((a, b) => b.seconds - a.seconds).slice(0, SLOW_SHOWN);
  }

  failedOf(stages, seconds = null) {
    const earlier = seconds === null ? null : this.#ago(seconds);
    return sum(stages.map((stage) => {
      const [now, was] = [this.now.stages.get(stage), earlier?.stages.get(stage)];
      return Math.max(0, total(now?.dead_letters) + total(now?.dropped) - total(was?.dead_letters) - total(was?.dropped));
    }));
  }

  /** What failed in a sub-topology: in its stages, its encoders and keys, and what it could not decode, told by its input. */
  failedIn(sub, seconds = null) {
    const input = [...this.now.stages.keys()].filter((name) => slug(name) === sub.name);
    return this.failedOf([...new Set([...sub.stages.map((each) => each.name), ...sub.writes.map((each) => each.by), ...input])], seconds);
  }

  /** Failures of the last minutes: stage, class of the error, and how many. */
  get recentFailures() {
    const before = this.#ago(FAILED_RECENTLY_SECONDS);
    return [...this.now.stages.values()].flatMap((stage) =>
      Object.entries(stage.dead_letters ?? {}).map(([error, n]) => {
        const was = before.stages.get(stage.name)?.dead_letters;
        return { stage: stage.name, error, n: Math.max(0, n - (was && Object.hasOwn(was, error) ? was[error] : 0)) };
      }).filter((each) => each.n > 0));
  }

  /** Whether the lag of a sub-topology has grown for a minute. */
  isFallingBehind(name) {
    const points = this.series.filter((each) => this.now.at - each.at <= 60_000);
    if (points.length < 8 || this.now.at - points[0].at < 30_000) return false;
    const lags = points.map((each) => each.subs.get(name)?.lag ?? 0);
    const half = Math.floor(lags.length / 2);
    const [first, second] = [sum(lags.slice(0, half)) / half, sum(lags.slice(half)) / (lags.length - half)];
    return lags.at(-1) > 1000 && second > first * 1.2;
  }

  /** How much of a store has been restored, from 0 to 1; null while none is being restored. */
  restoredShare(store) {
    const remaining = this.now.stores.get(store)?.restore_remaining ?? 0;
    return remaining ? 1 - remaining / Math.max(remaining, this.restoreMost.get(store) ?? 0) : null;
  }

  #point(moment, sources) {
    const subs = new Map();
    let slowest = null;
    for (const name of moment.subs.keys()) {
      const latency = this.percentiles(name, "latency");
      subs.set(name, { rate: this.rateOf(name), lag: this.lagOf(name), p99: latency?.[2] ?? null });
      if (latency && (!slowest || latency[2] > slowest.latency[2])) slowest = { name, latency };
    }
    const known = sources.filter((name) => subs.has(name));
    const rates = known.map((name) => subs.get(name).rate);
    return {
      at: moment.at, subs, slowest,
      rate: rates.length && !rates.includes(null) ? sum(rates) : null,
      lag: sum([...subs.values()].map((each) => each.lag ?? 0)),
    };
  }

  #noteReasons(moment) {
    const reasons = [...moment.raw.ready.reasons, ...moment.raw.healthy.reasons].map(withoutNumbers);
    this.reasonsSince = new Map(reasons.map((each) => [each, this.reasonsSince.get(each) ?? moment.at]));
  }

  /** When a reason was seen first; the page may have been opened later than it began. */
  since(reason) {
    return this.reasonsSince.get(withoutNumbers(reason)) ?? this.now.at;
  }

  #noteSlow(moment) {
    for (const worker of moment.raw.workers) {
      for (const loop of worker.loops) {
        const [, stage, n, record] = SLOW.exec(loop.problem ?? "") ?? [];
        if (record) this.slow.set(`${loop.name} ${record}`, { name: loop.name, stage, record, seconds: Number(n), at: moment.at });
      }
    }
    if (this.slow.size > SLOW_KEPT) this.slow.delete([...this.slow].sort((a, b) => a[1].seconds - b[1].seconds)[0][0]);
  }

  #noteRestores(moment) {
    for (const store of moment.stores.values()) {
      const remaining = store.restore_remaining ?? 0;
      if (remaining) this.restoreMost.set(store.name, Math.max(remaining, this.restoreMost.get(store.name) ?? 0));
      else this.restoreMost.delete(store.name);
    }
  }

  #event(at, kind, text) {
    const last = this.events[0];
    if (last && last.kind === kind && last.text === text && at - last.until < 15_000) {
      last.until = at;
      last.times += 1;
      return;
    }
    this.events.unshift({ at, until: at, kind, text, times: 1 });
    this.events.length = Math.min(this.events.length, EVENTS_KEPT);
  }

  #noteEvents(before, now) {
    if (!before) {
      for (const worker of now.raw.workers) {
        const last = worker.last_death ? `; last end: ${worker.last_death}` : "";
        if (worker.restarts) this.#event(now.at - worker.uptime * 1000, "warn", `worker ${worker.index} was started again (restart ${worker.restarts})${last}`);
      }
      return;
    }
    if (before.raw.identity.started_ms !== now.raw.identity.started_ms) this.#event(now.at, "warn", "the service was started again");
    for (const [field, good, bad] of [["ready", "ready", "not ready"], ["healthy", "healthy", "not healthy"]]) {
      const [was, is] = [before.raw[field], now.raw[field]];
      if (was.ok !== is.ok) this.#event(now.at, is.ok ? "good" : "bad", is.ok ? `${good} again` : `${bad}: ${is.reasons[0]}`);
    }
    for (const worker of now.raw.workers) {
      const was = before.raw.workers.find((each) => each.index === worker.index);
      if (!was) continue;
      if (was.alive && !worker.alive) this.#event(now.at, "bad", `worker ${worker.index} ended: ${worker.last_death || "why is not known yet"}`);
      if (worker.restarts > was.restarts) this.#event(now.at, "warn", `worker ${worker.index} was started again (restart ${worker.restarts})${worker.last_death ? `; last end: ${worker.last_death}` : ""}`);
    }
    for (const [name, sub] of now.subs) {
      const was = before.subs.get(name);
      if (!was) continue;
      if ((sub.rebalances ?? 0) > (was.rebalances ?? 0)) this.#event(now.at, "info", `${name}: partitions were assigned anew`);
      if ((sub.commits?.aborted ?? 0) > (was.commits?.aborted ?? 0)) this.#event(now.at, "warn", `${name}: a commit was aborted`);
    }
    for (const [name, stage] of now.stages) {
      const was = before.stages.get(name);
      for (const [error, n] of Object.entries(stage.dead_letters ?? {})) {
        const earlier = was?.dead_letters && Object.hasOwn(was.dead_letters, error) ? was.dead_letters[error] : 0;
        if (n > earlier) this.#event(now.at, "warn", `${name}: dead letters by ${error}`);
      }
    }
  }
}

/** A name as the cluster has it. */
const slug = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");

// What changes each second in a sentence that stays the same.
const withoutNumbers = (reason) => reason.replace(/\d+/g, "#");

/** The value below which `rank` observations are, between the bounds of its bucket as if they lay evenly there. */
export function quantile(counts, bounds, rank) {
  let below = 0;
  for (let at = 0; at < counts.length; at += 1) {
    if (below + counts[at] >= rank && counts[at] > 0) {
      const low = at === 0 ? 0 : bounds[at - 1];
      if (at >= bounds.length) return bounds.at(-1);
      return low + (bounds[at] - low) * ((rank - below) / counts[at]);
    }
    below += counts[at];
  }
  return bounds.at(-1);
}
