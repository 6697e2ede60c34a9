"""The partitions that a loop owns: where each one starts, which are restoring, which are running.

Rules for whoever edits this file:
1. Every start is an explicit offset, asked for when the partition is assigned; the answer is stable: it
   waits for the transaction of the last owner.
2. A partition stays paused until its task exists. Records of a partition without a task are dropped:
   they were fetched for an assignment that is over, and will be fetched again.
"""

import queue
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, TopicPartition

from wallaroo.engine.restore import Restoration, Restorer
from wallaroo.kafka import offsets
from wallaroo.kafka.offsets import First
from wallaroo.record import Partition
from wallaroo.settings import Settings
from wallaroo.state.store import KeyedStore
from wallaroo.task.task import Task


class Assignment:
    """The tasks of one loop, by partition number; `first`: where to begin what the group has never read."""

    def __init__(
        self,
        settings: Settings,
        first: First,
        new_stores: Callable[[], dict[str, KeyedStore]],
        new_task: Callable[[Partition, int, Mapping[str, KeyedStore]], Task],
    ) -> None:
        self.tasks: dict[int, Task] = {}
        self.restoring: dict[int, Restoration] = {}
        self.answered = False
        self.restored: queue.SimpleQueue[Restoration | BaseException] = queue.SimpleQueue()
        self._settings = settings
        self._new_stores = new_stores
        self._new_task = new_task
        self._first = first

    def __len__(self) -> int:
        return len(self.tasks) + len(self.restoring)

    def assign(self, consumer: Consumer, partitions: list[TopicPartition], restorer: Restorer) -> None:
        """Take partitions over: paused, from explicit offsets, their stores being restored."""
        self.answered = False
        starts = offsets.starting_offsets(consumer, partitions, self._settings, self._first)
        offsets.assign(consumer, starts, self._settings)
        restorations = [
            Restoration(Partition(tp.topic, tp.partition), tp.offset, self._new_stores()) for tp in starts
        ]
        self.restoring.update({r.partition.number: r for r in restorations})
        self.answered = True
        if restorations:
            restorer.start(restorations)

    def drop(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Give partitions up, whatever they are at."""
        for tp in partitions:
            self.tasks.pop(tp.partition, None)
            restoration = self.restoring.pop(tp.partition, None)
            if restoration is not None:
                restoration.cancelled.set()
        offsets.unassign(consumer, partitions, self._settings)

    def admit(self, consumer: Consumer) -> list[Restoration]:
        """Turn what has been restored into running tasks; a failed restore is raised."""
        admitted = []
        while not self.restored.empty():
            restoration = self.restored.get()
            if isinstance(restoration, BaseException):
                raise restoration
            number = restoration.partition.number
            if self.restoring.get(number) is not restoration:
                continue
            del self.restoring[number]
            self.tasks[number] = self._new_task(restoration.partition, restoration.start, restoration.stores)
            admitted.append(restoration)
        starts = [TopicPartition(r.partition.topic, r.partition.number, r.start) for r in admitted]
        if starts:
            offsets.resume(consumer, starts)
        return admitted

    def out_of_range(self, at: TopicPartition, low: int, high: int) -> int:
        """Where to go on when the topic no longer holds the next offset; KafkaSetupError to not go on."""
        return offsets.out_of_range(at, low, high, self._settings)
