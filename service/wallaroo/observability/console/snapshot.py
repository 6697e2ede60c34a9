"""What the console shows of one moment, as JSON: a pure function of what the supervisor knows.

Counters are as they are, since a worker's start; whoever looks makes rates of two snapshots.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from wallaroo.observability import metrics
from wallaroo.observability.health import HealthReport, LoopStatus, WorkerStatus
from wallaroo.observability.measurements import Distribution, Snapshot, Value
from wallaroo.observability.metrics import BY_NAME, Metric

Labels: TypeAlias = Mapping[str, str]
Row: TypeAlias = tuple[str, Labels, Value]
"""A worker, the labels of one of its series, and its value."""
Json: TypeAlias = dict[str, Any]

_COUNTERS_OF_SUBS = {"processed": metrics.RECORDS_PROCESSED, "rebalances": metrics.REBALANCES}
_GAUGES_OF_SUBS = {"assigned": metrics.ASSIGNED_PARTITIONS}
_HISTOGRAMS = {
    "latency": metrics.END_TO_END_LATENCY,
    "slice": metrics.PROCESS_DURATION,
    "commit": metrics.COMMIT_DURATION,
}
_OF_STORES = {
    "entries": metrics.STATE_ENTRIES,
    "restore_remaining": metrics.RESTORE_REMAINING,
    "restored": metrics.RESTORED_RECORDS,
    "changelog": metrics.CHANGELOG_RECORDS,
}
_OF_SOURCES = {
    "ingested": metrics.INGESTED_RECORDS,
    "senders": metrics.SENDERS_CONNECTED,
    "cut_off": metrics.SENDERS_CUT_OFF,
}
_OF_SINKS = {
    "delivered": metrics.DELIVERED_RECORDS,
    "connected": metrics.SINK_CONNECTED,
    "reconnects": metrics.SINK_RECONNECTS,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What is running here; it does not change while it runs."""

    application: str
    instance: str
    version: str
    librdkafka: str
    python: str
    started_ms: int
    """Milliseconds since the Unix epoch."""
    shows_state: bool
    """Whether a state may be looked up."""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker, and for how long what is known of it has been so."""

    status: WorkerStatus
    restarts: int
    answer_age_seconds: float
    uptime_seconds: float


@dataclass(frozen=True, slots=True)
class Moment:
    """All that the supervisor knows at one time."""

    now_ms: int
    identity: Identity
    ready: HealthReport
    healthy: HealthReport
    workers: Sequence[WorkerSeen]
    measured: Sequence[tuple[str, Snapshot]]
    """By worker; what belongs to none comes from the supervisor."""


def encoded(moment: Moment) -> bytes:
    """The snapshot as JSON, which holds nothing but ASCII, whatever a name has in it."""
    return json.dumps(snapshot(moment), separators=(",", ":"), allow_nan=False).encode()


def snapshot(moment: Moment) -> Json:
    """All that the console shows of a moment, of plain values only."""
    rows = _rows(moment.measured)
    return {
        "at": moment.now_ms,
        "identity": {name: getattr(moment.identity, name) for name in Identity.__slots__},
        "bounds": {name: metric.buckets for name, metric in _HISTOGRAMS.items()},
        "ready": _verdict(moment.ready),
        "healthy": _verdict(moment.healthy),
        "workers": [_worker(worker) for worker in moment.workers],
        "sub_topologies": _sub_topologies(rows),
        "topics": _sums(rows, {"produced": metrics.RECORDS_PRODUCED}, "topic"),
        "stores": _sums(rows, _OF_STORES, "store"),
        "stages": _stages(rows),
        "sources": _sums(rows, _OF_SOURCES, "source"),
        "sinks": _sums(rows, _OF_SINKS, "sink"),
    }


def _verdict(report: HealthReport) -> Json:
    return {"ok": report.ok, "reasons": list(report.reasons)}


def _worker(seen: WorkerSeen) -> Json:
    status = seen.status
    return {
        "index": status.index,
        "alive": status.alive,
        "ready": status.ready,
        "restarts": seen.restarts,
        "deaths": status.deaths,
        "last_death": status.last_death,
        "answer_age": round(seen.answer_age_seconds, 1),
        "uptime": round(seen.uptime_seconds, 1),
        "loops": [_loop(loop) for loop in status.loops],
    }


def _loop(loop: LoopStatus) -> Json:
    return {
        "name": loop.name,
        "assigned": loop.assigned,
        "partitions": loop.partitions,
        "restoring": loop.restoring,
        "connected": loop.connected,
        "problem": loop.problem or loop.obstacle,
        "uncommitted_since": loop.uncommitted.since_ms if loop.uncommitted else None,
    }


def _rows(measured: Iterable[tuple[str, Snapshot]]) -> Mapping[str, list[Row]]:
    """The series of all workers by the name of their metric; what this version does not know is left out."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for worker, series in measured:
        for (name, values), value in series.items():
            metric = BY_NAME.get(name)
            if metric is not None:
                rows[name].append((worker, dict(zip(metric.labels, values, strict=True)), value))
    return rows


def _sub_topologies(rows: Mapping[str, list[Row]]) -> list[Json]:
    """Each loop by name: those of sub-topologies, and of deliveries, which have a lag too."""
    found = {each["name"]: each for each in _sums(rows, _COUNTERS_OF_SUBS | _GAUGES_OF_SUBS, "sub_topology")}
    for name, metric in _HISTOGRAMS.items():
        for label, counts in _histograms(rows, metric).items():
            found.setdefault(label, {"name": label})[name] = counts
    for _, labels, value in rows.get(metrics.COMMITS.name, ()):
        sub = found.setdefault(labels["sub_topology"], {"name": labels["sub_topology"]})
        commits = sub.setdefault("commits", {})
        commits[labels["outcome"]] = commits.get(labels["outcome"], 0) + _number(value)
    for _, labels, value in rows.get(metrics.RECORD_IN_PROGRESS.name, ()):
        sub = found.setdefault(labels["sub_topology"], {"name": labels["sub_topology"]})
        sub["in_progress"] = max(sub.get("in_progress", 0), _number(value))
    for label, partitions in _partitions(rows).items():
        found.setdefault(label, {"name": label})["partitions"] = partitions
    return sorted(found.values(), key=lambda each: str(each["name"]))


def _partitions(rows: Mapping[str, list[Row]]) -> dict[str, list[Json]]:
    """The partitions of each loop in their order, with who owns them; of some only the lag is known."""
    found: defaultdict[str, dict[tuple[str, int], Json]] = defaultdict(dict)
    for name, metric in {
        "lag": metrics.CONSUMER_LAG,
        "processed": metrics.RECORDS_PROCESSED,
        "behind": metrics.WATERMARK_LAG,
    }.items():
        for worker, labels, value in rows.get(metric.name, ()):
            number = int(labels["partition"])
            partition = found[labels["sub_topology"]].setdefault(
                (worker, number), {"number": number, "worker": worker}
            )
            partition[name] = _number(value)
    return {
        label: sorted(each.values(), key=lambda partition: (partition["number"], partition["worker"]))
        for label, each in found.items()
    }


def _stages(rows: Mapping[str, list[Row]]) -> list[Json]:
    found: dict[str, Json] = {}
    for name, metric, label in (
        ("dead_letters", metrics.DEAD_LETTERS, "error"),
        ("dropped", metrics.RECORDS_DROPPED, "reason"),
    ):
        for _, labels, value in rows.get(metric.name, ()):
            stage = found.setdefault(labels["stage"], {"name": labels["stage"]})
            reasons = stage.setdefault(name, {})
            reasons[labels[label]] = reasons.get(labels[label], 0) + _number(value)
    for _, labels, value in rows.get(metrics.LATE_RECORDS.name, ()):
        stage = found.setdefault(labels["stage"], {"name": labels["stage"]})
        stage["late"] = stage.get("late", 0) + _number(value)
    return sorted(found.values(), key=lambda each: str(each["name"]))


def _sums(rows: Mapping[str, list[Row]], by_field: Mapping[str, Metric], label: str) -> list[Json]:
    """For each value of a label, the sums of these metrics over workers and all other labels."""
    found: dict[str, Json] = {}
    for field, metric in by_field.items():
        for _, labels, value in rows.get(metric.name, ()):
            each = found.setdefault(labels[label], {"name": labels[label]})
            each[field] = each.get(field, 0) + _number(value)
    return sorted(found.values(), key=lambda each: str(each["name"]))


def _histograms(rows: Mapping[str, list[Row]], metric: Metric) -> dict[str, list[int]]:
    """The counts of each bucket, not cumulative, summed over workers, by sub-topology."""
    found: dict[str, list[int]] = {}
    for _, labels, value in rows.get(metric.name, ()):
        if isinstance(value, Distribution):
            before = found.get(labels["sub_topology"]) or [0] * len(value.counts)
            found[labels["sub_topology"]] = [a + b for a, b in zip(before, value.counts, strict=True)]
    return found


def _number(value: Value) -> float:
    """JSON has no infinity; a number that is none is shown as 0."""
    return 0 if isinstance(value, Distribution) or not math.isfinite(value) else value
