"""Task: one input partition of a sub-topology. It computes and never writes.

Rules for whoever edits this file:
1. A record that cannot be decoded is rejected in place; it has touched no state.
2. When user code raises, nothing of the slice can be trusted: ask for a rewind, and go through the
   same records carefully, one by one, until past the failing one.
3. What concerns event time is the timeline's; a task to which it means nothing pays nothing for it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from wallaroo.errors import StateError, StopProcessing, StoredValueError
from wallaroo.record import Batch, Changes, Output, Partition, RawRecord, Rewind
from wallaroo.serde.formats import strip_format_tag
from wallaroo.state.store import KeyedStore
from wallaroo.task.application_context import ApplicationContext
from wallaroo.task.batch import BatchExecutor
from wallaroo.task.context import TaskContext, fast_access, guarded, saving_access, unguarded
from wallaroo.task.dead_letters import Rejections
from wallaroo.task.record_size import Limits
from wallaroo.task.repartition import batching_writer
from wallaroo.task.replay import RecordTransaction
from wallaroo.task.replay_window import ReplayWindow
from wallaroo.task.steps import compose
from wallaroo.task.unreadable import unreadable_record
from wallaroo.topology.model import SubTopology
from wallaroo.windows.control import is_control
from wallaroo.windows.timeline import timeline_of

__all__ = ["ApplicationContext", "Task"]


class Task:
    """Runs one partition from `start`, the first offset to process, over the given stores."""

    def __init__(
        self,
        sub_topology: SubTopology,
        partition: Partition,
        start: int,
        stores: Mapping[str, KeyedStore],
        application_context: ApplicationContext,
    ) -> None:
        self.partition = partition
        self.stores = stores
        self._input = sub_topology.input
        self._decode = sub_topology.input.decode or application_context.values.decode
        self._committed_offset = self._next = start
        self._oldest_timestamp: int | None = None
        self._records = 0
        self._patience = ReplayWindow(start)
        self._outbox: list[Output] = []
        self._changelogs = {store.name: store.changelog for store in sub_topology.stores}
        append = self._outbox.append
        plain = (strip_format_tag,) if sub_topology.input.internal else ()
        on_error, letters = application_context.on_error, application_context.dead_letters
        self.rejections = Rejections(on_error, letters, partition, append, *plain)
        self.timeline = timeline_of(sub_topology, partition, stores, application_context.partitions)
        self._attempts = RecordTransaction(sub_topology, self._outbox, stores, self.timeline.reports)
        shared = (
            append,
            stores,
            partition.number,
            application_context.partitions,
            application_context.values,
        )
        counts = self.rejections.late, self.rejections.dropped
        fast, careful = self.timeline.fast_context(*counts), self.timeline.careful_context(*counts)
        self._packing = batching_writer(sub_topology, application_context, append, fast)
        composed = compose(sub_topology, TaskContext(*shared, unguarded, fast_access, fast, self._packing))
        self._fast = BatchExecutor(
            sub_topology.input, application_context.values, composed, self._refuse, self._drop
        )
        self._careful = compose(sub_topology, TaskContext(*shared, guarded, saving_access, careful)).one
        self.timeline.restore(start)

    def process(self, records: Sequence[RawRecord]) -> Rewind | None:
        """Take a slice, in offset order; a Rewind is to be answered with `rollback`.

        Raises StoredValueError for undecodable bytes of our own, StopProcessing where the policy says so.
        """
        if records[0].offset() < self._next:
            records = [record for record in records if record.offset() >= self._next]
            if not records:
                return None
        if self._oldest_timestamp is None:
            self._oldest_timestamp = records[0].timestamp()[1]
        self._patience.see(records)
        if self._patience.lasts(records[0].offset()):
            self._process_carefully(records)
        elif rewind := self._process_fast(records):
            return rewind
        self._packing.close()
        self._next = records[-1].offset() + 1
        self._records += len(records)
        return None

    def collect(self) -> Batch | Rewind | None:
        """Freeze what has been done since the last call; StateError where no single record is to blame."""
        if not self.pending_records:
            return None
        controls = self.timeline.collect(self._records, self._outbox.append)
        try:
            changes = [Changes(s.name, self._changelogs[s.name], s.collect()) for s in self.stores.values()]
        except StateError:
            if self._patience.lasts(self._next):
                raise
            return self._failed_at(self._next - 1)
        batch = Batch(
            self.partition,
            self._next,
            self._records,
            self._oldest_timestamp or 0,
            self._outbox[:],
            changes,
            dict(self.rejections.dead_letters),
            dict(self.rejections.dropped),
            dict(self.rejections.late),
            controls,
            self._packing.take_saved(),
        )
        self._start_batch()
        return batch

    def committed(self, batch: Batch) -> None:
        """The batch is on record."""
        self._committed_offset = batch.next_offset
        for store in self.stores.values():
            store.commit()

    def rollback(self) -> int:
        """Forget everything since the last commit; returns the offset to read from again."""
        for store in self.stores.values():
            store.rollback()
        self._start_batch()
        self._next = self._committed_offset
        self.timeline.restore(self._committed_offset)
        return self._committed_offset

    def look(self, now_ms: int, *, caught_up: bool) -> Rewind | None:
        """See what time it is on a clock that never goes back, and do what that makes due.

        `caught_up` says that nothing is left to read. A Rewind is to be answered with `rollback`.
        """
        self.timeline.advance_wall_clock(now_ms, self._next, caught_up=caught_up)
        if self._patience.lasts(self._next):
            self._fire_carefully(self._next)
            return None
        try:
            self._fire(self._next)
            self._packing.close()
        except (StoredValueError, StopProcessing):
            raise
        except Exception:
            return self._failed_at(self._next)
        return None

    def enforce_size_limits(self, limits: Limits) -> None:
        """Kafka has refused something as too large: from the last commit on, weigh what comes of a record."""
        self._attempts.enforce_size_limits(limits)
        self.rejections.enforce_size_limits(limits)
        self._patience.failed(self._next - 1)

    def move_to(self, offset: int) -> None:
        """Go on at another offset, between batches: the records up to it are gone."""
        self._committed_offset = self._next = offset

    @property
    def next_offset(self) -> int:
        return self._next

    @property
    def pending_records(self) -> int:
        """How much there is to commit; what no record has caused counts as one."""
        return self._records + self.timeline.pending

    def _start_batch(self) -> None:
        self._outbox.clear()
        self._packing.clear()
        self.rejections.dead_letters.clear()
        self.rejections.dropped.clear()
        self.rejections.late.clear()
        self._records = 0
        self._oldest_timestamp = None

    def _process_fast(self, records: Sequence[RawRecord]) -> Rewind | None:
        failing = self._fast.process(records)
        return None if failing is None else self._failed_at(failing.offset())

    def _process_carefully(self, records: Sequence[RawRecord]) -> None:
        for record in records:
            try:
                value = self._decode(record.value())
            except Exception as error:
                if not self._hears(record, self._fire_carefully):
                    self._reject_undecodable(record, error)
                continue
            if value is None:
                self._drop()
            else:
                self._try_record(record, value)

    def _try_record(self, record: RawRecord, value: Any) -> None:
        failure = self._attempts.attempt(partial(self._go_through, record, value))
        if failure is not None:
            self._reject_failed(record, failure.stage, failure.error)
        else:
            self.timeline.complete_record()
            self._fire_carefully(record.offset())

    def _go_through(self, record: RawRecord, value: Any) -> None:
        self.timeline.begin_record()
        self._careful(value, record.key(), record)

    def _refuse(self, record: RawRecord, error: Exception) -> None:
        if not self._hears(record, self._fire):
            self._reject_undecodable(record, error)

    def _drop(self) -> None:
        self.rejections.dropped[self._input.name, "filtered"] += 1

    def _hears(self, record: RawRecord, fire: Callable[[int], None]) -> bool:
        """Whether this is a control record; then it is none for the user's code."""
        if self._input.is_source or not is_control(record.key(), record.value()):
            return False
        self.timeline.on_control_record(record.value())
        fire(record.offset())
        self._records -= 1
        return True

    def _fire(self, _offset: int) -> None:
        self.timeline.fire()

    def _fire_carefully(self, offset: int) -> None:
        self._attempts.fire(self.timeline.due_windows(offset), self.rejections)

    def _reject_failed(self, record: RawRecord, stage: str, error: BaseException) -> None:
        self._patience.failed_again(record.offset())
        self.rejections.reject(record, stage, error)

    def _reject_undecodable(self, record: RawRecord, error: Exception) -> None:
        if self._input.internal:
            raise unreadable_record(self.partition, record.offset(), error) from error
        self.rejections.reject(record, self._input.name, error)

    def _failed_at(self, offset: int) -> Rewind:
        self._patience.failed(offset)
        return Rewind(self.partition, offset)
