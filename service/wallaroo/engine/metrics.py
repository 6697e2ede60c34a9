"""The metrics of a loop: a few numbers per slice and per commit, never per record."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import TopicPartition

from wallaroo.clock import Clock
from wallaroo.engine.lag import Density
from wallaroo.engine.restore import Restoration
from wallaroo.engine.slow_records import InProgress, SlowRecords
from wallaroo.engine.task_group import Processed
from wallaroo.engine.transaction import CommitResult
from wallaroo.observability import metrics
from wallaroo.observability.measurements import Measurements, Snapshot
from wallaroo.record import NANOSECONDS_PER_SECOND, Batch, Place
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.task import Task
from wallaroo.task.user_code import StagesByCode

# How many classes of errors have series of their own, by stage; code may make any number of them.
ERRORS_BY_NAME = 20
OTHER_ERRORS = "other"
_LONGEST_ERROR = 100


class LoopMetrics:
    """The metrics of one loop, by its name."""

    def __init__(self, name: str) -> None:
        self.values = Measurements()
        # Written by the thread that answers the supervisor, while the other one may be busy.
        self.watched = Measurements()
        # Replaced as a whole by the thread that measures them.
        self._lags: Snapshot = {}
        self._slow: SlowRecords | None = None
        self._name = name
        self._densities: defaultdict[int, Density] = defaultdict(Density)
        self._errors: defaultdict[str, set[str]] = defaultdict(set)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """What all threads have measured."""
        return self.values.snapshot(), self.watched.snapshot(), self._lags

    def set_lags(self, lags: Mapping[Place, int]) -> None:
        """Show these lags and no others."""
        measured = Measurements()
        for (topic, number), records in lags.items():
            measured.set(metrics.CONSUMER_LAG, records, self._name, topic, number)
        self._lags = measured.snapshot()

    def density(self, number: int) -> Density:
        """How many records an offset of a partition holds."""
        return self._densities[number]

    def watch_user_code(
        self,
        topic: str,
        stages: StagesByCode,
        clock: Clock,
        find: Callable[[int], InProgress | None],
        instead: str,
    ) -> SlowRecords:
        """What watches the thread of this loop, from another one, by `look_for_slow`."""
        self._slow = SlowRecords(self._name, topic, stages, clock, find, instead)
        return self._slow

    def look_for_slow(self) -> str:
        """What has kept user code busy for long; less than a second is nothing to speak of."""
        if self._slow is None:
            return ""
        text, seconds = self._slow.look(), self._slow.seconds
        self.watched.set(metrics.RECORD_IN_PROGRESS, round(seconds, 1) if seconds >= 1 else 0, self._name)
        return text

    def slice_done(
        self, topic: str, number: int, offsets: tuple[int, int], processed: Processed, seconds: float
    ) -> None:
        """A slice between two offsets was processed."""
        records = processed.records - processed.control_records
        self._densities[number].read(records, *offsets)
        self.values.count(metrics.RECORDS_CONSUMED, records, self._name, topic, number)
        self.values.count(metrics.RECORDS_PROCESSED, records, self._name, number)
        self.values.observe(metrics.PROCESS_DURATION, seconds, self._name)

    def transaction_ended(self, result: CommitResult, seconds: float) -> None:
        self.values.observe(metrics.COMMIT_DURATION, seconds, self._name)
        self.values.count(metrics.COMMITS, 1, self._name, "committed" if result.committed else "aborted")

    def commit_ended(
        self, result: CommitResult, batches: Iterable[Batch], seconds: float, now_ms: int
    ) -> None:
        self.transaction_ended(result, seconds)
        if result.committed:
            for batch in batches:
                self._batch_committed(batch, now_ms)

    def _batch_committed(self, batch: Batch, now_ms: int) -> None:
        if batch.oldest_timestamp_ms:
            latency = max(0, now_ms - batch.oldest_timestamp_ms) / 1000
            self.values.observe(metrics.END_TO_END_LATENCY, latency, self._name)
        for topic, records in Counter(output[0] for output in batch.outputs).items():
            sent = records - batch.controls.get(topic, 0) + batch.saved.get(topic, 0)
            self.values.count(metrics.RECORDS_PRODUCED, sent, topic)
        for changes in batch.changes:
            records = len(changes.values) - (POSITION_KEY in changes.values)
            self.values.count(metrics.CHANGELOG_RECORDS, records, changes.store)
        self.rejected(batch.dead_letters, batch.dropped)
        for stage, n in batch.late.items():
            self.values.count(metrics.LATE_RECORDS, n, stage)

    def rejected(
        self, dead_letters: Mapping[tuple[str, str], int], dropped: Mapping[tuple[str, str], int]
    ) -> None:
        for (stage, error), n in dead_letters.items():
            self.values.count(metrics.DEAD_LETTERS, n, stage, self._error_label(stage, error))
        for (stage, reason), n in dropped.items():
            self.values.count(metrics.RECORDS_DROPPED, n, stage, reason)

    def _error_label(self, stage: str, error: str) -> str:
        """The name of a class, if it is among the first ones of its stage."""
        known, name = self._errors[stage], error[:_LONGEST_ERROR]
        if name not in known and len(known) >= ERRORS_BY_NAME:
            return OTHER_ERRORS
        known.add(name)
        return name

    def rebalanced(self, partitions: int) -> None:
        self.values.count(metrics.REBALANCES, 1, self._name)
        self.values.set(metrics.ASSIGNED_PARTITIONS, partitions, self._name)

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        gone = {(tp.topic, str(tp.partition)) for tp in partitions}
        for topic, number in gone:
            self.values.forget_partition(topic, int(number))
            self._densities.pop(int(number), None)
        self._lags = {key: value for key, value in self._lags.items() if key[1][1:] not in gone}

    def restoring(self, restorations: Iterable[Restoration]) -> None:
        for restoration in restorations:
            for store, remaining in dict(restoration.remaining).items():
                self.values.set(metrics.RESTORE_REMAINING, remaining, store, restoration.partition.number)

    def restored(self, restoration: Restoration) -> None:
        for store, records in restoration.records.items():
            self.values.set(metrics.RESTORE_REMAINING, 0, store, restoration.partition.number)
            self.values.count(metrics.RESTORED_RECORDS, records, store)
            self.values.observe(metrics.RESTORE_DURATION, restoration.seconds, store)
        for store, records in restoration.foreign.items():
            self.values.count(metrics.RECORDS_DROPPED, records, store, "foreign")

    def update(self, task: Task, now_ms: int) -> None:
        """Set the watermark's lag and the state size of one task: once a second is enough."""
        number = task.partition.number
        for store in task.stores.values():
            self.values.set(metrics.STATE_ENTRIES, len(store), store.name, number)
            self.values.set(metrics.STATE_BYTES, store.size_bytes(), store.name, number)
        if task.timeline.watermark is not None:
            behind = now_ms / 1000 - task.timeline.watermark / NANOSECONDS_PER_SECOND
            self.values.set(metrics.WATERMARK_LAG, behind, self._name, number)
