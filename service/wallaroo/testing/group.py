"""One sub-topology on in-memory logs: what its consumer group and transactional producer would do.

Only a commit writes to the logs: outputs, changelogs and offsets at once. The `TaskGroup` that the service
uses, too, drives the tasks.
"""

from collections.abc import Iterable
from typing import Any

from wallaroo.engine.task_group import TaskFactory, TaskGroup
from wallaroo.record import Batch, Partition
from wallaroo.serde.codecs import Codecs
from wallaroo.task.context import ApplicationContext, StateCodecs, new_stores
from wallaroo.task.dead_letters import OnError
from wallaroo.task.keys import key_bytes
from wallaroo.task.task import Task
from wallaroo.testing.logs import Logs
from wallaroo.topology.model import SubTopology, Topology
from wallaroo.topology.steps import Stateful
from wallaroo.windows.kinds import open_state


def new_groups(
    topology: Topology, subs: Iterable[SubTopology], logs: Logs, codecs: Codecs, on_error: str
) -> dict[str, "Group"]:
    """The groups of these sub-topologies of a topology, by name."""
    context = ApplicationContext(codecs.values, logs.partitions, topology.dead_letters, OnError(on_error))
    return {sub.name: Group(sub, logs, codecs.state, context) for sub in subs}


class Group:
    """The tasks of one sub-topology and their committed offsets."""

    def __init__(
        self, sub: SubTopology, logs: Logs, state_codecs: StateCodecs, application_context: ApplicationContext
    ) -> None:
        self.sub = sub
        self._logs = logs
        self._state_codecs = state_codecs
        new_task = TaskFactory(sub, application_context)
        self._future = new_task.future
        self._tasks = TaskGroup(
            new_task,
            self._seek,
            self.finish_commit,
            has_batches=not sub.input.is_source,
        )
        self._partitions = [Partition(sub.input.topic, n) for n in range(logs.partitions[sub.input.topic])]
        self._committed = dict.fromkeys(self._partitions, 0)
        self._positions = dict(self._committed)
        self._in_progress: list[Batch] = []

    @property
    def ready(self) -> list[Partition]:
        """The partitions with records that have not been read."""
        return [at for at, position in self._positions.items() if self._logs.has_from(at, position)]

    @property
    def pending_records(self) -> int:
        return self._tasks.pending_records

    @property
    def unfinished(self) -> bool:
        """Whether something has been processed and not been committed."""
        return bool(self._in_progress or self.pending_records)

    def process(self, at: Partition, most: int) -> int:
        """Give a task its next records, `most` messages or fewer; returns how many records those held."""
        self._task(at)
        self._tasks.rewound.clear()
        messages = self._logs.read(at, self._positions[at], most)
        self._positions[at] = messages[-1].offset() + 1
        processed = self._tasks.process(at.number, messages)
        if processed is None:
            return 0
        if processed.rewind is not None:
            self._tasks.rewind(processed.rewind)
        return processed.records

    def update_time_of_day(self, now_ms: int) -> None:
        """Take the time of day, which says what is in the future."""
        self._future.update(now_ms)

    def advance_wall_clock(self, now_ms: int) -> None:
        """Advance the wall clock of every task, if event time is tracked; twice for a rewound task."""
        if self.sub.timing is None:
            return
        for at in self._partitions:
            task = self._task(at)
            if not self._tasks.advance_wall_clock(task, now_ms, caught_up=self._is_at_end(at)):
                self._tasks.advance_wall_clock(task, now_ms, caught_up=self._is_at_end(at))

    def begin_commit(self) -> None:
        """Finish the commit in progress, and begin one of all that has been done."""
        self.finish_commit()
        self._in_progress = self._tasks.collect()

    def finish_commit(self) -> None:
        """Let the commit in progress succeed."""
        for batch in self._in_progress:
            self._logs.write(batch)
            self._committed[batch.partition] = batch.next_offset
        self._tasks.committed(self._end_transaction())

    def commit(self) -> None:
        """Commit all that has been done."""
        self.begin_commit()
        self.finish_commit()

    def abort(self) -> None:
        """Let the commit in progress fail: all tasks go back to the last one."""
        self._tasks.aborted(self._end_transaction(), None)

    def crash(self) -> None:
        """Lose everything but what is in the logs."""
        self._end_transaction()
        for at in self._partitions:
            self._tasks.drop(at.number)
        self._positions = dict(self._committed)

    def state(self, step: Stateful, key: str | bytes | int | None) -> Any:
        """A copy of a stage's committed state for a key; without one, of the only key that there is."""
        stores = [self._task(at).stores[step.store.name] for at in self._partitions]
        states = {key: store.peek(key) for store in stores for key, _ in store.items()}
        if key is None and len(states) == 1:
            return open_state(step, next(iter(states.values())))
        found = None if key is None else states.get(key_bytes(step.name, key))
        return None if found is None else open_state(step, found)

    def _is_at_end(self, at: Partition) -> bool:
        return not self._logs.has_from(at, self._positions[at])

    def _seek(self, number: int, offset: int) -> None:
        self._positions[self._partitions[number]] = offset

    def _task(self, at: Partition) -> Task:
        task = self._tasks.get(at.number)
        if task is not None:
            return task
        stores = new_stores(self.sub, self._state_codecs)
        for declared in self.sub.stores:
            changelog = Partition(declared.changelog, at.number)
            for key, data in self._logs.compacted(changelog).items():
                stores[declared.name].restore(key, data)
        return self._tasks.start(at, self._committed[at], stores)

    def _end_transaction(self) -> list[Batch]:
        """End the commit in progress with transaction markers in its topics; returns its batches."""
        ended, self._in_progress = self._in_progress, []
        self._logs.end_transaction(ended)
        return ended
