"""One sub-topology on in-memory logs: what its consumer group and transactional producer would do.

Rules for whoever edits this file:
1. Only a commit writes to the logs: outputs, changelogs and offsets at once.
2. What it does to tasks, and when, is what `engine/loop.py` does.
"""

from collections.abc import Sequence
from typing import Any

from wallaroo.record import Batch, Partition, RawRecord, Rewind
from wallaroo.task.record_batch import expand_batches
from wallaroo.task.stores import StateCodecs, new_stores
from wallaroo.task.task import ApplicationContext, Task
from wallaroo.testing.logs import Logs
from wallaroo.topology.model import SubTopology


class Group:
    """The tasks of one sub-topology and their committed offsets."""

    def __init__(
        self, sub: SubTopology, logs: Logs, state_codecs: StateCodecs, application_context: ApplicationContext
    ) -> None:
        self.sub = sub
        self._logs = logs
        self._state_codecs = state_codecs
        self._surroundings = application_context
        self._partitions = [Partition(sub.input.topic, n) for n in range(logs.partitions[sub.input.topic])]
        self._committed = dict.fromkeys(self._partitions, 0)
        self._positions = dict(self._committed)
        self._tasks: dict[Partition, Task] = {}
        self._in_flight: list[Batch] = []

    @property
    def ready(self) -> list[Partition]:
        """The partitions with records that have not been read."""
        return [at for at, position in self._positions.items() if self._logs.has_from(at, position)]

    @property
    def pending_records(self) -> int:
        return sum(task.pending_records for task in self._tasks.values())

    @property
    def unfinished(self) -> bool:
        """Whether something has been processed and not been committed."""
        return bool(self._in_flight or self.pending_records)

    def process(self, at: Partition, most: int) -> int:
        """Give a task its next records, `most` or fewer if none are in packs; returns how many."""
        task = self._task(at)
        records: Sequence[RawRecord] = self._logs.read(at, self._positions[at], most)
        if not self.sub.input.is_source:
            records = expand_batches(records, at)
        self._positions[at] = records[-1].offset() + 1
        if task.process(records) is not None:
            self.land()
            self._positions[at] = task.rollback()
        return len(records)

    def look(self, now_ms: int) -> None:
        """Let every task see what time it is, if this sub-topology keeps time."""
        if self.sub.timing is None:
            return
        for at in self._partitions:
            task = self._task(at)
            if task.advance_wall_clock(now_ms, caught_up=self._is_at_end(at)) is not None:
                self.land()
                self._positions[at] = task.rollback()
                task.advance_wall_clock(now_ms, caught_up=self._is_at_end(at))

    def collect(self) -> None:
        """Put all that has been done in flight; what was in flight before has landed."""
        self.land()
        for at, task in self._tasks.items():
            collected = task.collect()
            if isinstance(collected, Rewind):
                self._positions[at] = task.rollback()
            elif collected is not None:
                self._in_flight.append(collected)

    def land(self) -> None:
        """What is in flight is committed."""
        for batch in self._in_flight:
            self._write(batch)
        self._end_transaction()
        for batch in self._in_flight:
            self._tasks[batch.partition].committed(batch)
        self._in_flight = []

    def commit(self) -> None:
        """Commit all that has been done."""
        self.collect()
        self.land()

    def abort(self) -> None:
        """What is in flight is not committed; all tasks go back to the last commit."""
        self._end_transaction()
        self._in_flight = []
        for at, task in self._tasks.items():
            self._positions[at] = task.rollback()

    def crash(self) -> None:
        """Lose everything but what is in the logs."""
        self._end_transaction()
        self._in_flight = []
        self._tasks = {}
        self._positions = dict(self._committed)

    def states(self, store: str) -> dict[bytes, Any]:
        """A copy of the committed state of every key."""
        stores = [self._task(at).stores[store] for at in self._partitions]
        return {key: found.peek(key) for found in stores for key, _ in found.items()}

    def _is_at_end(self, at: Partition) -> bool:
        return not self._logs.has_from(at, self._positions[at])

    def _task(self, at: Partition) -> Task:
        task = self._tasks.get(at)
        if task is None:
            stores = new_stores(self.sub, self._state_codecs)
            for declared in self.sub.stores:
                changelog = Partition(declared.changelog, at.number)
                for key, data in self._logs.compacted(changelog).items():
                    stores[declared.name].restore(key, data)
            task = Task(self.sub, at, self._committed[at], stores, self._surroundings)
            self._tasks[at] = task
        return task

    def _write(self, batch: Batch) -> None:
        for output in batch.outputs:
            self._logs.append(output)
        for changes in batch.changes:
            for key, value in changes.values.items():
                self._logs.append((changes.topic, value, key, batch.partition.number))
        self._committed[batch.partition] = batch.next_offset

    def _end_transaction(self) -> None:
        outputs = {output[0] for batch in self._in_flight for output in batch.outputs}
        changes = {changes.topic for batch in self._in_flight for changes in batch.changes}
        self._logs.end_transaction(outputs | changes)
