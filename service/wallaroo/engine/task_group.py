"""TaskGroup: the tasks of one sub-topology. Records in, batches out, and back to the last commit.

Rules for whoever edits this file:
1. It is pure: no client of Kafka, no clock, no thread. The loop of a worker and the driver of tests both
   drive it, so that the driver cannot differ from the service.
2. A task is rolled back only when the commit in progress has been decided: `await_commit` comes first.
3. Records in hand of a task that has been rewound meanwhile are dropped, and its reader is sent back once
   more: the seek may have been in the middle of the poll, some of them fetched before it, some after.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wallaroo.record import Batch, Partition, Place, Question, RawRecord, Rewind
from wallaroo.state.store import KeyedStore
from wallaroo.task.context import ApplicationContext
from wallaroo.task.limits import Refusal
from wallaroo.task.record_batch import expand_batches, records_in
from wallaroo.task.task import Task
from wallaroo.task.user_code import stages_by_code
from wallaroo.topology.model import SubTopology
from wallaroo.windows.future import FutureBound

_log = logging.getLogger(__name__)

NewTask = Callable[[Partition, int, Mapping[str, KeyedStore]], Task]


class TaskFactory:
    """Makes the tasks of a sub-topology; whoever drives them keeps the wall clock of `future` up to date."""

    def __init__(self, sub: SubTopology, application: ApplicationContext) -> None:
        self.stages = stages_by_code(sub)
        self.future = FutureBound(None if sub.timing is None else sub.timing.max_future)
        self._sub = sub
        self._application = replace(application, future=self.future)

    @property
    def partitions(self) -> int:
        """How many tasks there are in all."""
        return self._application.partitions[self._sub.input.topic]

    def __call__(self, partition: Partition, start: int, stores: Mapping[str, KeyedStore]) -> Task:
        return Task(self._sub, partition, start, stores, self._application)


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of the messages of one partition; the caller has to follow `rewind`, if there is one."""

    records: int
    control_records: int
    rewind: Rewind | None


class TaskGroup:
    """The tasks of one sub-topology, by partition number.

    `seek` sends the reader of a partition, by number, to an offset. `await_commit` waits for the commit in
    progress and reports its result. `has_batches` says that one message may be a batch of records.
    """

    def __init__(
        self,
        new_task: NewTask,
        seek: Callable[[int, int], None],
        await_commit: Callable[[], None],
        *,
        has_batches: bool,
    ) -> None:
        # To be cleared before every poll.
        self.rewound: set[int] = set()
        self._tasks: dict[int, Task] = {}
        self._new_task = new_task
        self._seek = seek
        self._await_commit = await_commit
        self._has_batches = has_batches

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        """The tasks of this moment: another thread may ask for them, while they come and go in the loop's."""
        return iter(list(self._tasks.values()))

    def start(self, partition: Partition, offset: int, stores: Mapping[str, KeyedStore]) -> Task:
        """Begin to run a partition at an offset, over stores as they were committed with it."""
        task = self._tasks[partition.number] = self._new_task(partition, offset, stores)
        return task

    def get(self, number: int) -> Task | None:
        return self._tasks.get(number)

    def in_progress(self, number: int) -> tuple[RawRecord, bool] | None:
        """The record that user code works on, and whether it is that one; for another thread."""
        task = self._tasks.get(number)
        return None if task is None else task.in_progress

    def records_in(self, message: RawRecord) -> int:
        """How many records a message holds."""
        return records_in(message) if self._has_batches else 1

    def drop(self, number: int) -> None:
        """Forget a task and all that it has not committed."""
        self._tasks.pop(number, None)

    @property
    def pending_records(self) -> int:
        """How much there is to commit."""
        return sum(task.pending_records for task in self._tasks.values())

    def committed_offsets(self) -> dict[Partition, int]:
        """Up to where every task has been committed, as far as is known here."""
        return {task.partition: task.committed_offset for task in self._tasks.values()}

    def process(self, number: int, messages: Sequence[RawRecord]) -> Processed | None:
        """Let a task process messages of its partition, in order; None if they are dropped."""
        task = self._tasks.get(number)
        if task is None:
            return None
        if number in self.rewound:
            self.seek_again(task)
            return None
        records = messages
        if self._has_batches:
            records = expand_batches(messages, task.partition, keep_damaged=task.puts_aside)
        rewind = task.process(records)
        return Processed(len(records), task.timeline.take_control_records(), rewind)

    def answer(self, task: Task, question: Question, ends: Mapping[Place, int | None]) -> None:
        """Give a task the answer to its question of where partitions end."""
        rewind = task.answer(question, ends)
        if rewind is not None:
            self.rewind(rewind)

    def rewind(self, rewind: Rewind) -> None:
        """After user code has failed: back to the last commit, to process the same records one by one."""
        self._await_commit()
        _log.info("rewinding", extra={"partition": rewind.partition, "failed_offset": rewind.failed_offset})
        task = self._tasks[rewind.partition.number]
        task.rollback()
        self.seek_again(task)

    def collect(self) -> list[Batch]:
        """Take from every task what it has done since the last call."""
        batches: list[Batch] = []
        for task in list(self._tasks.values()):
            collected = task.collect()
            if isinstance(collected, Rewind):
                self.rewind(collected)
            elif collected is not None:
                batches.append(collected)
        return batches

    def committed(self, batches: Iterable[Batch]) -> None:
        """Let the tasks forget what they needed to roll these batches back."""
        for batch in batches:
            task = self._tasks.get(batch.partition.number)
            if task is not None:
                task.committed(batch)

    def aborted(self, batches: Sequence[Batch], refusal: Refusal | None) -> None:
        """Roll every task back, even those that were not part of the commit.

        If Kafka refused a record, everything is replayed. What exceeds a limit becomes a failure of the
        record that made it, in whichever task; so does what was found to be refused alone.
        """
        if refusal is not None:
            self._prepare_replay(batches, refusal)
        for task in self._tasks.values():
            task.rollback()
            self.seek_again(task)

    def _prepare_replay(self, batches: Sequence[Batch], refusal: Refusal) -> None:
        exceeded = refusal.records or any(map(refusal.limits.are_exceeded, batches))
        for task in self._tasks.values():
            task.replay()
            if exceeded:
                task.enforce(refusal.limits)
        for record in refusal.records:
            if (refusing := self._tasks.get(record.task)) is not None:
                refusing.refuse(record)

    def seek_again(self, task: Task) -> None:
        """Send the reader of a task to the offset that comes next."""
        self.rewound.add(task.partition.number)
        self._seek(task.partition.number, task.next_offset)
