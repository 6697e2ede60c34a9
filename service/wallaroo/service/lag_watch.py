"""LagWatch: the lag of partitions that no worker reports: it is down, starting, restoring or silent.

It comes from the offsets that the groups have committed. What other instances own is theirs to show.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaException

from wallaroo.clock import Clock
from wallaroo.engine.group_offsets import Cluster, GroupInput, inputs_of
from wallaroo.engine.lag import LagBook
from wallaroo.engine.lag_meter import lags
from wallaroo.kafka.sample import Sampler
from wallaroo.observability import metrics
from wallaroo.observability.health import WorkerStatus
from wallaroo.observability.measurements import Measurements, Snapshot
from wallaroo.record import Place
from wallaroo.task.record_batch import one_record, records_in
from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)

_EVERY_SECONDS = 2.0
# A worker that has not answered for so long shows what was.
_SILENT_SECONDS = 5.0
# A worker that has just been assigned partitions measures their lag a moment later.
_GRACE_SECONDS = 5.0


def reports_lags(status: WorkerStatus, now: float) -> bool:
    """Whether a worker says what its lags are now."""
    return status.alive and status.ready and now - status.last_answer < _SILENT_SECONDS


def is_settled(status: WorkerStatus, now: float) -> bool:
    """Whether a worker reports every partition that it has, and has been told which these are."""
    return reports_lags(status, now) and all(loop.assigned and not loop.restoring for loop in status.loops)


def without_lags(snapshot: Snapshot) -> Snapshot:
    return {key: value for key, value in snapshot.items() if key[0] != metrics.CONSUMER_LAG.name}


def unreported(places: Iterable[Place], name: str, reported: Collection[tuple[str, ...]]) -> list[Place]:
    """The partitions of one group that no worker of ours shows."""
    return [(topic, number) for topic, number in places if (name, topic, str(number)) not in reported]


class LagWatch:
    """Looks every few seconds while some worker is not settled; `lags` is what it has found."""

    def __init__(
        self,
        inputs: Sequence[GroupInput],
        partitions: Mapping[str, int],
        cluster: Cluster,
        sampler: Sampler,
        clock: Clock,
    ) -> None:
        self.lags: Snapshot = {}
        self._inputs = inputs
        self._partitions = partitions
        self._cluster = cluster
        self._sampler = sampler
        self._clock = clock
        self._books = {read.name: LagBook(has_batches=True) for read in inputs}
        self._unsettled_at = clock.monotonic()
        self._found: dict[str, set[Place]] = {}
        self._stopping = threading.Event()

    def start(self, workers: Callable[[], Sequence[Any]]) -> None:
        """Look in a thread of its own; `workers` are handles."""
        threading.Thread(target=self._run, args=(workers,), name="lag", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self, workers: Callable[[], Sequence[Any]]) -> None:
        while not self._stopping.wait(_EVERY_SECONDS):
            handles = workers()
            try:
                self.look([(handle.status(), handle.measured) for handle in handles])
            except (KafkaException, TimeoutError) as error:
                _log.debug("lag unknown", extra={"error": str(error)})

    def look(self, workers: Sequence[tuple[WorkerStatus, Snapshot]]) -> None:
        """Find the lags of what no worker reports; nothing is asked while all is well."""
        now = self._clock.monotonic()
        if not all(is_settled(status, now) for status, _ in workers):
            self._unsettled_at = now
        if now - self._unsettled_at > _GRACE_SECONDS:
            self.lags = {}
            self._sampler.close()
            return
        found = Measurements()
        for read in self._inputs:
            for (topic, number), records in self._lags_of(read, reported_by(workers, now)).items():
                found.set(metrics.CONSUMER_LAG, records, read.name, topic, number)
        self.lags = found.snapshot()

    def _of_nobody(self, read: GroupInput, places: Sequence[Place]) -> list[Place]:
        """Those that no other instance owns; in a rebalance nobody owns any, so they are looked at twice."""
        others = self._cluster.others(read)
        theirs = set().union(*others)
        before, self._found[read.name] = self._found.get(read.name, set()), {*places} - theirs
        return [place for place in places if place not in theirs and (not others or place in before)]

    def _lags_of(self, read: GroupInput, reported: Collection[tuple[str, ...]]) -> Mapping[Place, int]:
        everywhere = [(read.topic, number) for number in range(self._partitions[read.topic])]
        places = unreported(everywhere, read.name, reported)
        if places:
            places = self._of_nobody(read, places)
        if not places:
            return {}
        book, reached = self._books[read.name], self._cluster.reached(read, places)
        count: Callable[[Any], int] = records_in if read.has_batches else one_record
        ends = self._cluster.ends(list(reached))
        return lags(book, reached, ends, self._sampler, count, self._clock)


def reported_by(workers: Sequence[tuple[WorkerStatus, Snapshot]], now: float) -> set[tuple[str, ...]]:
    """The labels of all lags that workers show now."""
    return {
        labels
        for status, measured in workers
        if reports_lags(status, now)
        for name, labels in measured
        if name == metrics.CONSUMER_LAG.name
    }


def lag_watch(topology: Topology, partitions: Mapping[str, int], cluster: Cluster, clock: Clock) -> LagWatch:
    """The watch of one process group."""
    inputs = inputs_of(topology, cluster.settings)
    return LagWatch(inputs, partitions, cluster, cluster.sampler(clock), clock)
