"""One sub-topology on in-memory logs: what its consumer group and transactional producer would do.

Only a commit writes to the logs: outputs, changelogs and offsets at once. The `TaskGroup` that the service
uses, too, drives the tasks.
"""

from collections.abc import Collection, Iterable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from wallaroo.clock import Clock
from wallaroo.engine.end_offsets import EndOffsets
from wallaroo.engine.task_group import TaskFactory, TaskGroup
from wallaroo.record import Batch, Partition, Place
from wallaroo.serde.codecs import Codecs
from wallaroo.task.context import ApplicationContext
from wallaroo.task.dead_letters import OnError
from wallaroo.task.stores import StateCodecs, new_stores
from wallaroo.task.task import Task
from wallaroo.task.unreadable import OnUnreadable
from wallaroo.testing.logs import Logs
from wallaroo.topology.model import SubTopology, Topology


def new_groups(
    topology: Topology,
    subs: Iterable[SubTopology],
    logs: Logs,
    clock: Clock,
    codecs: Codecs,
    policies: tuple[str, str],
) -> dict[str, "Group"]:
    """The groups of these sub-topologies of a topology, by name."""
    on_error, on_unreadable = OnError(policies[0]), OnUnreadable(policies[1])
    context = ApplicationContext(
        codecs.values, logs.partitions, topology.dead_letters, on_error, on_unreadable=on_unreadable
    )
    return {sub.name: Group(sub, logs, clock, codecs.state, context) for sub in subs}


class Group:
    """The tasks of one sub-topology and their committed offsets."""

    def __init__(
        self,
        sub: SubTopology,
        logs: Logs,
        clock: Clock,
        state_codecs: StateCodecs,
        application_context: ApplicationContext,
    ) -> None:
        self.sub = sub
        self._logs = logs
        self._clock = clock
        self._ends = EndOffsets(sub.input.topic, clock, pace_seconds=0)
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
        if processed is not None and processed.rewind is not None:
            self._tasks.rewind(processed.rewind)
        return 0 if processed is None else processed.records

    def update_time_of_day(self, now_ms: int) -> None:
        """Take the time of day, which says what is in the future."""
        self._future.update(now_ms)

    def look(self) -> bool:
        """Let every task look at the time, if event time is tracked, as a worker does after each poll.

        What a task asks is answered with the ends of this moment, but it hears that when it looks again.
        Returns whether something was asked or answered.
        """
        if self.sub.timing is None:
            return False
        for at in self._partitions:
            self._task(at)
            if not self._logs.has_from(at, self._positions[at]):
                self._ends.reached(at.number, self._logs.end(at))
        return self._ends.advance_wall_clock(self._tasks, self._request_ends)

    def begin_commit(self) -> None:
        """Finish the commit in progress, and begin one of all that has been done."""
        self.finish_commit()
        self._in_progress = self._tasks.collect()

    def finish_commit(self) -> None:
        """Let the commit in progress succeed, unless a record is too large for its topic.

        As in a service, all is processed again then, and the record that led to it fails.
        """
        refusal = self._logs.refusal_of(self._in_progress)
        if refusal is not None:
            self._tasks.aborted(self._end_transaction(), refusal)
            return
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
        self._ends = EndOffsets(self.sub.input.topic, self._clock, pace_seconds=0)
        self._positions = dict(self._committed)

    def stored(self, store: str) -> dict[bytes, Any]:
        """Copies of the committed values of a store, by key."""
        stores = [self._task(at).stores[store] for at in self._partitions]
        return {key: each.peek(key) for each in stores for key, _ in each.items()}

    def _request_ends(self, places: Collection[Place]) -> dict[Place, Future[Any]]:
        answers: dict[Place, Future[Any]] = {place: Future() for place in places}
        for place, answer in answers.items():
            answer.set_result(SimpleNamespace(offset=self._logs.end(Partition(*place))))
        return answers

    def _seek(self, number: int, offset: int) -> None:
        self._ends.forget(number)
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
