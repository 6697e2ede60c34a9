"""The partitions that a loop owns: where each one starts, which are restoring, which are running.

Rules for whoever edits this file:
1. Every start is an explicit offset, asked for when the partition is assigned; the answer is stable: it
   waits for the transaction of the last owner.
2. A partition stays paused until its task exists. Records of a partition without a task are dropped:
   they were fetched for an assignment that is over, and will be fetched again.
"""

import logging
import queue
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from wallaroo.errors import KafkaSetupError
from wallaroo.processing.task import Task
from wallaroo.record import Partition
from wallaroo.runtime.restore import Restoration, Restorer
from wallaroo.runtime.retry import persist
from wallaroo.settings import Settings
from wallaroo.state.store import KeyedStore

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10.0


class Assignment:
    """The tasks of one loop, by partition number."""

    def __init__(
        self,
        settings: Settings,
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
        self._incremental = _is_incremental(settings)

    def assign(self, consumer: Consumer, partitions: list[TopicPartition], restorer: Restorer) -> None:
        """Take partitions over: paused, from explicit offsets, their stores being restored."""
        self.answered = True
        starts = [self._start_of(consumer, found) for found in _committed(consumer, partitions)]
        if self._incremental:
            consumer.incremental_assign(starts)
        else:
            consumer.assign(starts)
        if not starts:
            return
        consumer.pause(starts)
        restorations = [
            Restoration(Partition(tp.topic, tp.partition), tp.offset, self._new_stores()) for tp in starts
        ]
        self.restoring.update({r.partition.number: r for r in restorations})
        restorer.start(restorations)

    def drop(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Give partitions up, whatever they are at."""
        for tp in partitions:
            self.tasks.pop(tp.partition, None)
            restoration = self.restoring.pop(tp.partition, None)
            if restoration is not None:
                restoration.cancelled.set()
        if self._incremental:
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()

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
            task = self._new_task(restoration.partition, restoration.start, restoration.stores)
            self.tasks[number] = task
            consumer.resume([TopicPartition(task.partition.topic, number)])
            admitted.append(restoration)
        return admitted

    def _start_of(self, consumer: Consumer, found: TopicPartition) -> TopicPartition:
        low, high = consumer.get_watermark_offsets(found, timeout=_REQUEST_SECONDS)
        if found.offset < 0:
            start = high if self._settings.auto_offset_reset == "latest" else low
        elif low <= found.offset <= high:
            start = found.offset
        else:
            start = self.out_of_range(found, low, high)
        return TopicPartition(found.topic, found.partition, start)

    def out_of_range(self, at: TopicPartition, low: int, high: int) -> int:
        """Where to go on when the topic no longer holds the next offset; KafkaSetupError to not go on."""
        text = (
            f"{at.topic}[{at.partition}] holds the offsets {low} to {high}, but this group is at "
            f"{at.offset}: records were deleted before they were read, or the topic was made anew"
        )
        match self._settings.on_offset_out_of_range:
            case "earliest":
                chosen = low
            case "latest":
                chosen = high
            case _:
                raise KafkaSetupError(
                    f"{text}; to go on all the same, set on_offset_out_of_range to earliest or latest"
                )
        _log.error("offset out of range", extra={"what": text, "chosen": chosen})
        return chosen


def _is_incremental(settings: Settings) -> bool:
    strategy = settings.consumer.get("partition.assignment.strategy", "cooperative-sticky")
    return settings.group_protocol == "consumer" or "cooperative" in strategy


def _committed(consumer: Consumer, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
    """The group's committed offsets, once no transaction on them is open any more."""
    wanted = list(partitions)
    return persist(lambda: _ask_committed(consumer, wanted)) if wanted else []


def _ask_committed(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    found = consumer.committed(partitions, timeout=_REQUEST_SECONDS)
    for tp in found:
        if tp.error is not None:
            raise KafkaException(tp.error)
    return found
