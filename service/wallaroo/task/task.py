"""Task: one input partition of a sub-topology. It computes and never writes.

Rules for whoever edits this file:
1. A record that cannot be decoded is rejected in place; it has touched no state.
2. When user code raises, nothing of the slice can be trusted: ask for a rewind, and replay the same records
   one by one, until past the failing one.
3. Event time is the timeline's; a task to which it means nothing pays nothing for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from wallaroo.errors import NOT_OF_USER_CODE, Interrupt, KafkaSetupError, RecordError, StateError
from wallaroo.record import Append, Batch, Changes, Output, Partition, Place, Question, RawRecord, Rewind
from wallaroo.state.store import KeyedStore
from wallaroo.task.batch import BatchExecutor
from wallaroo.task.context import (
    ApplicationContext,
    TaskContext,
    new_arrivals,
    new_origins,
    new_writers,
    puts_aside,
)
from wallaroo.task.dead_letters import FailureHandler, foreign_record, release, unreadable_record
from wallaroo.task.limits import RecordLimits, RefusedRecord
from wallaroo.task.position import PositionLog, RestoredChangelog
from wallaroo.task.replay import RecordTransaction, ReplayWindow
from wallaroo.topology.model import SubTopology
from wallaroo.windows.control import is_control
from wallaroo.windows.timeline import timeline_of


class Task:
    """Runs one partition from `start`, the first offset to process, over the given stores."""

    # The record in hand during a replay, and when the oldest record of the batch arrived.
    _replayed: RawRecord | None = None
    _oldest_ms = 0

    def __init__(
        self,
        sub_topology: SubTopology,
        partition: Partition,
        start: int,
        stores: Mapping[str, KeyedStore],
        application: ApplicationContext,
    ) -> None:
        self.partition, self.stores = partition, stores
        self._changelogs = {store.name: store.changelog for store in sub_topology.stores}
        self._positions = PositionLog(sub_topology, application)
        self._input, self._records, self._outputs = sub_topology.input, 0, list[Output]()
        self.committed_offset = self.next_offset = self._batch_start = start
        append = self._outputs.append
        self._origins = new_origins(sub_topology, partition)
        self._failures = self._new_failures(application, append)
        self.puts_aside = puts_aside(sub_topology, partition.number, stores, self._failures, application)
        partitions, future = application.partitions, application.future
        self.timeline = timeline_of(sub_topology, partition, stores, partitions, future)
        batch_time, replay_time = self.timeline.contexts(self._failures.late, self._failures.dropped)
        context = TaskContext(
            append,
            stores,
            partition.number,
            partitions,
            application.values,
            new_writers(sub_topology, append, application, self._origins),
            replace(batch_time, refuse=self._on_untimely),
            origins=self._origins,
            input=sub_topology.input,
        )
        self._writers = context.writers.values()
        self._arrivals = new_arrivals(self._input, self._writers)
        on_undecodable = partial(self._on_undecodable, lambda _offset: self.timeline.fire())
        self._batch = BatchExecutor(sub_topology, context, on_undecodable, self._on_filtered)
        replay_context = replace(context, time=replay_time, replay=True)
        self._transaction = RecordTransaction(sub_topology, replay_context, self._outputs)
        self._replay_window = ReplayWindow(start)
        self.timeline.restore(start)

    def _new_failures(self, application: ApplicationContext, append: Append) -> FailureHandler:
        return FailureHandler(
            application.on_error,
            application.dead_letters,
            self.partition,
            append,
            internal=self._input.has_internal_format,
            source=self._origins.source,
        )

    def follow(self, found: Mapping[str, RestoredChangelog], *, commit_start: bool) -> None:
        """Go on from what was restored, by changelog; with `commit_start`, commit the start by itself."""
        self._positions.follow(found, commit_start=commit_start)

    def settle(self) -> None:
        """Everything is committed, and nothing more comes: note with the state that nothing is open."""
        self._positions.settle()

    def process(self, records: Sequence[RawRecord]) -> Rewind | None:
        """Take a slice, in offset order; the answer to a Rewind is `rollback`.

        Raises StoredValueError for undecodable bytes of our own, StopProcessing if the policy is to stop.
        """
        if records[0].offset() < self.next_offset:
            records = [record for record in records if record.offset() >= self.next_offset]
            if not records:
                return None
        if self._arrivals is not None:
            self._oldest_ms = self._arrivals.take(records, self._oldest_ms)
        elif not self._oldest_ms:
            self._oldest_ms = max(0, records[0].timestamp()[1])
        self._origins.base = first = records[0].offset()
        end = records[-1].offset() + 1
        self._replay_window.records_per_offset = max(1, len(records) // (end - first))
        if first <= self._replay_window.last_offset:
            try:
                self._replay(records)
            finally:
                self._replayed = None
        else:
            self._transaction.did_all = False
            if (failed := self._batch.execute(records)) is not None:
                return self._rewind(failed.offset())
        for writer in self._writers:
            writer.flush()
        self.next_offset = end
        self._records += len(records)
        return None

    @property
    def in_progress(self) -> tuple[RawRecord, bool] | None:
        """The record that user code works on, and whether it is certainly that one; for another thread."""
        replayed = self._replayed
        return self._batch.in_progress if replayed is None else (replayed, True)

    def collect(self) -> Batch | Rewind | None:
        """Freeze what has been done since the last call; StateError if no single record is to blame."""
        if not self.pending_records:
            return None
        controls = self.timeline.collect(self._records, self._outputs.append)
        try:
            changes = [Changes(s.name, self._changelogs[s.name], s.collect()) for s in self.stores.values()]
        except StateError:
            if self._in_replay:
                raise
            return self._rewind(self.next_offset - 1)
        changes += self._positions.changes(self._batch_start, self.next_offset)
        batch = Batch(
            self.partition,
            self.next_offset,
            self._records,
            self._oldest_ms,
            self._outputs[:],
            changes,
            dict(self._failures.dead_letters),
            dict(self._failures.dropped),
            dict(self._failures.late),
            controls,
            {writer.topic: writer.saved for writer in self._writers if writer.saved},
            self._positions.metadata,
            self._transaction.causes,
            dict(self._failures.failures),
        )
        self._start_batch()
        self._batch_start = self.next_offset
        return batch

    def committed(self, batch: Batch) -> None:
        """The batch is committed."""
        self.committed_offset = batch.next_offset
        self._positions.committed()
        for store in self.stores.values():
            store.commit()
        is_over = self.committed_offset > self._replay_window.last_offset
        self._transaction.forget_refused(self.committed_offset, is_over=is_over)

    def rollback(self) -> int:
        """Forget everything since the last commit; returns the offset to read from again."""
        for store in self.stores.values():
            store.rollback()
        self._start_batch()
        self.next_offset = self._batch_start = self.committed_offset
        self._positions.rollback()
        self.timeline.restore(self.committed_offset)
        return self.committed_offset

    def observe(self, now_ms: int, eof: int | None) -> None:
        """Take the time of a clock that does not go back, and where the consumer last met the end."""
        self.timeline.observe(now_ms, self.next_offset, eof)

    def answer(self, question: Question, ends: Mapping[Place, int | None]) -> Rewind | None:
        """Fire the windows that are due by the answer to a question; the answer to a Rewind is `rollback`.

        An end that nobody could say is None.
        """
        self.timeline.answer(question, ends.get((self.partition.topic, self.partition.number)), ends)
        if self._arrivals is not None:
            self._arrivals.take_none()
        if self._in_replay:
            self._fire_in_transactions(self.next_offset)
            return None
        self._transaction.did_all = False
        try:
            self.timeline.fire()
            for writer in self._writers:
                writer.flush()
        except NOT_OF_USER_CODE:
            raise
        except BaseException:  # of the user's code, in a window
            return self._rewind(self.next_offset)
        return None

    def replay(self) -> None:
        """Kafka refused some record of a commit: after the rollback, process what it held one by one."""
        self._replay_window.open(self.next_offset - 1)

    def enforce(self, limits: RecordLimits) -> None:
        """From now on, let a replayed record fail if a topic would refuse its results; fit dead letters."""
        self._transaction.enforce(limits)
        self._failures.enforce(limits)

    def refuse(self, refused: RefusedRecord) -> None:
        """Let what a refused record came from fail in the replay.

        Raises KafkaSetupError if it came from nothing that could become a dead letter.
        """
        if refused.output[0] == self._failures.topic:
            self._failures.refused(refused)
        elif refused.cause is None:
            raise KafkaSetupError(
                f"{refused.output[0]} refuses what the service itself writes: {refused.why}; see "
                "its cleanup.policy, message.timestamp.* and max.message.bytes, and the clocks of this "
                "machine and of the brokers"
            )
        else:
            self._transaction.refuse(refused.cause, refused)

    def move_to(self, offset: int) -> None:
        """Continue at another offset, between batches: the records up to it are gone."""
        self.committed_offset = self.next_offset = self._batch_start = offset

    @property
    def pending_records(self) -> int:
        """How much there is to commit; what no record has caused counts as one."""
        return self._records + (self.timeline.pending or self._positions.is_due)

    @property
    def _in_replay(self) -> bool:
        return self.next_offset <= self._replay_window.last_offset

    def _start_batch(self) -> None:
        self._outputs.clear()
        for writer in self._writers:
            writer.discard(saved=0)
        self._failures.clear()
        self._transaction.start_batch()
        self._records = 0
        self._oldest_ms = 0

    def _rewind(self, failed_offset: int) -> Rewind:
        self._replay_window.open(failed_offset)
        return Rewind(self.partition, failed_offset)

    def _replay(self, records: Sequence[RawRecord]) -> None:
        place, last = 0, -1
        for record in records:
            self._replayed = record
            place = place + 1 if record.offset() == last else 0
            last = record.offset()
            try:
                value = self._batch.decode_record(record)
            except Interrupt:
                raise
            except BaseException as error:  # whatever the user's decoder raises
                self._on_undecodable(self._fire_in_transactions, record, error)
                continue
            if value is None:
                self._on_filtered()
                continue
            failure = self._transaction.process(record, value, (last, place))
            if failure is None:
                self._fire_in_transactions(record.offset())
            else:
                self._replay_window.extend(record.offset())
                self._failures.reject(record, *failure)

    def _fire_in_transactions(self, offset: int) -> None:
        self._transaction.fire(self.timeline.due_windows(offset), self._failures)

    def _on_filtered(self) -> None:
        self._failures.dropped[self._input.name, "filtered"] += 1

    def _on_untimely(self, record: RawRecord, error: RecordError) -> None:
        """Reject a record without a usable event time, with which nothing has been done."""
        self._failures.reject(record, self._input.name, error)

    def _on_undecodable(self, fire: Callable[[int], None], record: RawRecord, error: BaseException) -> None:
        """Obey a control record, which never reaches user code; reject any other record.

        Of a record that claims to be ours nothing may be lost; one that does not is a stranger's.
        """
        if not self._input.is_source and is_control(record.key(), record.value()):
            self.timeline.on_control_record(record.value())
            fire(record.offset())
            self._records -= 1
            release(error)
        elif not self._input.has_internal_format:
            self._failures.reject(record, self._input.name, error)
        elif (foreign := foreign_record(self.partition, record, error)) is not None:
            self._failures.reject(record, self._input.name, foreign)
        elif self.puts_aside:
            self._failures.put_aside(self.partition, record, self._input.name, error)
        else:
            raise unreadable_record(self.partition, record, error) from error
