"""Measurements: what one loop thread of a worker counts.

Written by its own thread only. `snapshot()` is safe from any thread: every value is immutable, and copying
a dict is atomic. Made for a few calls per slice of records, never for one per record.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from wallaroo.errors import WallarooError
from wallaroo.observability.metrics import BY_NAME, Metric, MetricKind


class Distribution(NamedTuple):
    """A histogram's value: observations per bucket (not cumulative, above the last bound at the end)."""

    counts: tuple[int, ...]
    total: float


Value: TypeAlias = float | Distribution
SeriesKey: TypeAlias = tuple[str, tuple[str, ...]]
"""The name of a metric and the values of its labels, in the order of `Metric.labels`."""
Snapshot: TypeAlias = dict[SeriesKey, Value]
"""Plain data that travels from a worker to the supervisor."""


class Measurements:
    """Counters, gauges and histograms of one loop."""

    __slots__ = ("_distributions", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[SeriesKey, float] = {}
        self._distributions: dict[SeriesKey, Distribution] = {}

    def count(self, metric: Metric, n: float, *labels: str | int) -> None:
        """Add `n` to a counter; 0 makes the series appear."""
        key = _series(metric, "counter", labels)
        self._numbers[key] = self._numbers.get(key, 0) + n

    def set(self, metric: Metric, value: float, *labels: str | int) -> None:
        """Give a gauge its present value."""
        self._numbers[_series(metric, "gauge", labels)] = value

    def observe(self, metric: Metric, value: float, *labels: str | int) -> None:
        """Add one observation (in seconds, as all histograms are) to a histogram."""
        key = _series(metric, "histogram", labels)
        before = self._distributions.get(key) or Distribution((0,) * (len(metric.buckets) + 1), 0.0)
        counts = list(before.counts)
        counts[bisect_left(metric.buckets, value)] += 1
        self._distributions[key] = Distribution(tuple(counts), before.total + value)

    def forget_partition(self, topic: str, partition: int) -> None:
        """Remove every series of a revoked partition.

        A series with a partition and no topic (state, restore) belongs to the one topic that its loop reads.
        """
        for series in (self._numbers, self._distributions):
            for name, values in list(series):
                labels = dict(zip(BY_NAME[name].labels, values, strict=True))
                if labels.get("partition") == str(partition) and labels.get("topic", topic) == topic:
                    series.pop((name, values))

    def snapshot(self) -> Snapshot:
        """Everything measured so far; later measurements leave it as it is."""
        return {**self._numbers, **self._distributions}


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """One snapshot of several loops: series that they share are added up."""
    total: Snapshot = {}
    for snapshot in snapshots:
        for key, value in snapshot.items():
            total[key] = _sum(total[key], value) if key in total else value
    return total


def _sum(left: Value, right: Value) -> Value:
    match left, right:
        case Distribution(), Distribution():
            counts = tuple(map(sum, zip(left.counts, right.counts, strict=True)))
            return Distribution(counts, left.total + right.total)
        case ((int() | float()), (int() | float())):
            return left + right
        case _:
            raise WallarooError(f"cannot add {left!r} and {right!r}: two workers disagree on a metric's kind")


def _series(metric: Metric, kind: MetricKind, labels: tuple[str | int, ...]) -> SeriesKey:
    if metric.kind != kind:
        raise WallarooError(f"{metric.name} is a {metric.kind}, used as a {kind}")
    if len(labels) != len(metric.labels):
        raise WallarooError(f"{metric.name} needs a value for each of {metric.labels}, got {labels}")
    return metric.name, tuple(map(str, labels))
