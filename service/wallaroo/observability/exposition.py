"""SnapshotCollector: the latest snapshot of each worker, as Prometheus reads it. Lives in the supervisor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from wallaroo.errors import WallarooError
from wallaroo.observability.measurements import Distribution, Snapshot, Value
from wallaroo.observability.metrics import BUILD_INFO, METRICS, WORKER_RESTARTS, Metric

Row: TypeAlias = tuple[list[str], Value]


class SnapshotCollector(Collector):
    """Series of all workers, each with the label `worker`; `update` and `collect` may run in two threads."""

    def __init__(self, *, application: str, version: str, librdkafka: str) -> None:
        self._build = [version, application, librdkafka]
        self._snapshots: dict[int, Snapshot] = {}
        self._restarts: dict[int, int] = {}

    def update(self, worker: int, snapshot: Snapshot) -> None:
        """Replace what this worker reported before; of several loops, pass their `merged` snapshots."""
        self._snapshots[worker] = snapshot

    def forget(self, worker: int) -> None:
        """Drop the series of a worker that has gone; its restarts stay."""
        self._snapshots.pop(worker, None)

    def set_restarts(self, worker: int, n: int) -> None:
        """How often a worker has been restarted; 0 makes its series appear."""
        self._restarts[worker] = n

    def collect(self) -> Iterator[Family]:
        """Yield one family per metric that has a series, in the order of the table."""
        yield _family(BUILD_INFO, [(self._build, 1)])
        rows = self._rows_by_name()
        for metric in METRICS:
            if metric.name in rows:
                yield _family(metric, rows[metric.name])

    def _rows_by_name(self) -> Mapping[str, list[Row]]:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for worker, snapshot in sorted(dict(self._snapshots).items()):
            for (name, labels), value in snapshot.items():
                rows[name].append(([str(worker), *labels], value))
        for worker, restarts in sorted(dict(self._restarts).items()):
            rows[WORKER_RESTARTS.name].append(([str(worker)], restarts))
        return rows


def renderer(collector: Collector) -> Callable[[str], tuple[str, bytes]]:
    """Return the function that turns an Accept header into (content type, body)."""
    registry = CollectorRegistry()
    registry.register(collector)

    def render(accept: str) -> tuple[str, bytes]:
        encode, content_type = choose_encoder(accept)
        return content_type, encode(registry)

    return render


def _family(metric: Metric, rows: list[Row]) -> Family:
    labels = metric.labels if metric is BUILD_INFO else ("worker", *metric.labels)
    match metric.kind:
        case "counter":
            return _filled(CounterMetricFamily(metric.name, metric.help, labels=labels), rows)
        case "gauge":
            return _filled(GaugeMetricFamily(metric.name, metric.help, labels=labels), rows)
        case "histogram":
            return _histogram(metric, labels, rows)


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, rows: list[Row]
) -> CounterMetricFamily | GaugeMetricFamily:
    for labels, value in rows:
        if isinstance(value, Distribution):
            raise WallarooError(f"{family.name} of {labels} is a distribution; a worker runs another version")
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, label_names: tuple[str, ...], rows: list[Row]) -> HistogramMetricFamily:
    bounds = [*map(str, metric.buckets), "+Inf"]
    family = HistogramMetricFamily(metric.name, metric.help, labels=label_names)
    for labels, value in rows:
        if not isinstance(value, Distribution):
            raise WallarooError(f"{metric.name} of {labels} is a number; a worker runs another version")
        family.add_metric(labels, list(zip(bounds, accumulate(value.counts), strict=True)), value.total)
    return family
