"""The metrics of a loop: a few numbers per slice and per commit, never per record."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, TopicPartition

from wallaroo.engine.restore import Restoration
from wallaroo.engine.task_group import Processed
from wallaroo.engine.transaction import CommitResult
from wallaroo.observability import metrics
from wallaroo.observability.measurements import Measurements
from wallaroo.record import NANOSECONDS_PER_SECOND, Batch
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.task import Task

# How many classes of errors have series of their own, by stage; code may make any number of them.
ERRORS_BY_NAME = 20
OTHER_ERRORS = "other"
_LONGEST_ERROR = 100


class LoopMetrics:
    """The metrics of one loop, by its name."""

    def __init__(self, name: str) -> None:
        self.values = Measurements()
        self._name = name
        self._records_per_message: dict[int, float] = {}
        self._errors: defaultdict[str, set[str]] = defaultdict(set)

    def slice_done(
        self, topic: str, number: int, messages: int, processed: Processed, seconds: float
    ) -> None:
        records = processed.records
        self._records_per_message[number] = records / messages
        self.values.count(metrics.RECORDS_CONSUMED, records, self._name, topic, number)
        self.values.count(metrics.RECORDS_PROCESSED, records - processed.control_records, self._name, number)
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
        if batch.records:
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
        for tp in partitions:
            self.values.forget_partition(tp.topic, tp.partition)

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

    def update(self, consumer: Consumer, task: Task, end_seen: int, now_ms: int) -> None:
        """Set the lags and the state size of one task: once a second is enough.

        Offsets count messages. How many records the waiting ones hold is estimated by the last ones read.
        """
        topic, number = task.partition.topic, task.partition.number
        _, high = consumer.get_watermark_offsets(TopicPartition(topic, number), cached=True)
        # What has been processed and is not committed is still to be done; behind the last record, there are
        # only markers up to the end that was seen.
        is_open = task.committed_offset < task.next_offset
        done = task.committed_offset if is_open else max(task.next_offset, end_seen)
        lag = max(0, high - done) * self._records_per_message.get(number, 1.0)
        self.values.set(metrics.CONSUMER_LAG, round(lag), self._name, topic, number)
        for store in task.stores.values():
            self.values.set(metrics.STATE_ENTRIES, len(store), store.name, number)
        if task.timeline.watermark is not None:
            behind = now_ms / 1000 - task.timeline.watermark / NANOSECONDS_PER_SECOND
            self.values.set(metrics.WATERMARK_LAG, behind, self._name, number)
