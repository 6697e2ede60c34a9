"""SnapshotCollector: the latest snapshot of each worker, as Prometheus reads it. Lives in the supervisor."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from wallaroo.errors import WallarooError
from wallaroo.observability.measurements import Distribution, Snapshot, Value
from wallaroo.observability.metrics import BUILD_INFO, METRICS, WORKER_ANSWER_AGE, WORKER_RESTARTS, Metric

Row: TypeAlias = tuple[list[str], Value]


class SnapshotCollector(Collector):
    """Series of all workers, each with the label `worker`; `update` and `collect` may run in two threads."""

    def __init__(self, *, application: str, version: str, librdkafka: str) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._build = [version, application, librdkafka]
        self._snapshots: dict[str, Snapshot] = {}
        self._restarts: dict[int, int] = {}
        self._answer_ages: dict[int, float] = {}

    def update(self, worker: int | str, snapshot: Snapshot) -> None:
        """Replace what this worker reported before; of several loops, pass their `merged` snapshots."""
        self._snapshots[str(worker)] = snapshot

    def set_restarts(self, worker: int, n: int) -> None:
        """How often a worker has been restarted; 0 makes its series appear."""
        self._restarts[worker] = n

    def set_answer_age(self, worker: int, seconds: float) -> None:
        """How long ago a worker answered last."""
        self._answer_ages[worker] = seconds

    def render(self, accept: str) -> tuple[str, bytes]:
        """From an Accept header to (content type, body)."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no version
            encode, content_type = choose_encoder("")
        return content_type, encode(self._registry)

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
                rows[name].append(([worker, *map(_printable, labels)], value))
        for index, restarts in sorted(dict(self._restarts).items()):
            rows[WORKER_RESTARTS.name].append(([str(index)], restarts))
        for index, seconds in sorted(dict(self._answer_ages).items()):
            rows[WORKER_ANSWER_AGE.name].append(([str(index)], seconds))
        return rows


def _printable(label: str) -> str:
    """What UTF-8 can hold: a name in Python may have halves of characters."""
    return label if label.isascii() else label.encode(errors="backslashreplace").decode()


def _family(metric: Metric, rows: list[Row]) -> Family:
    labels = metric.labels if metric is BUILD_INFO else ("worker", *metric.labels)
    if metric.kind == "histogram":
        return _histogram(metric, labels, rows)
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=labels)
    for values, value in rows:
        if isinstance(value, Distribution):
            raise WallarooError(f"{metric.name} of {values} is a distribution; a worker runs another version")
        family.add_metric(values, value)
    return family


def _histogram(metric: Metric, labels: tuple[str, ...], rows: list[Row]) -> Family:
    bounds = [*map(str, metric.buckets), "+Inf"]
    family = HistogramMetricFamily(metric.name, metric.help, labels=labels)
    for values, value in rows:
        if not isinstance(value, Distribution):
            raise WallarooError(f"{metric.name} of {values} is a number; a worker runs another version")
        family.add_metric(values, list(zip(bounds, accumulate(value.counts), strict=True)), value.total)
    return family
