"""Where the partitions of a loop end, and when the wall clock may move event time there.

Rules for whoever edits this file:
1. A partition ends where its last end-of-partition event was, until something is read behind it, or the
   consumer is sent elsewhere.
2. Before the wall clock moves a watermark, the broker is asked whether that is still the end, and the time
   is that of the question: who cannot reach the broker must not close windows over what waits there.
3. Nothing here waits. The consumer itself is not asked: its questions queue up behind its long polls.
"""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.task_group import TaskGroup
from wallaroo.kafka.offsets import Place, request_end_offsets
from wallaroo.task.task import Task

_log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 0.25
_REQUEST_SECONDS = 5.0


class ClockUpdate(NamedTuple):
    """What a task is told: a time, and whether there was nothing left to read then."""

    now_ms: int
    caught_up: bool


@dataclass(frozen=True, slots=True)
class Question:
    """Where do these partitions end? Asked at a time when their tasks were at these offsets."""

    asked_ms: int
    offsets: Mapping[int, int]
    answers: Mapping[Place, "Future[Any]"]


class EndOffsets:
    """The ends of one topic's partitions, as one loop knows them."""

    def __init__(self, topic: str, clock: Clock) -> None:
        self._topic = topic
        self._clock = clock
        self._ends: dict[int, int] = {}
        self._updated = clock.monotonic()
        self._question: Question | None = None

    def reached(self, number: int, offset: int) -> None:
        """Note that there is nothing at this offset yet."""
        self._ends[number] = offset

    def forget(self, number: int) -> None:
        """Note that the consumer reads this partition from elsewhere."""
        self._ends.pop(number, None)

    def last(self, number: int) -> int:
        """The last end seen of a partition; 0 if there is none."""
        return self._ends.get(number, 0)

    def advance_wall_clock(self, tasks: TaskGroup, admin: AdminClient) -> None:
        """Now and then, tell the time to every task to which it matters."""
        now = self._clock.monotonic()
        if now - self._updated < _INTERVAL_SECONDS:
            return
        self._updated, now_ms = now, round(now * 1000)
        waiting = [task for task in tasks if not task.timeline.is_idle]
        unsure = [task for task in waiting if task.timeline.awaits_end and self._is_at_end(task)]
        updates = {task.partition.number: ClockUpdate(now_ms, self._is_at_end(task)) for task in waiting}
        answered = self._answered()
        for task in unsure:
            number = task.partition.number
            del updates[number]
            if (number, task.next_offset) in answered:
                updates[number] = answered[number, task.next_offset]
        for task in waiting:
            update = updates.get(task.partition.number)
            if update is not None:
                tasks.advance_wall_clock(task, update.now_ms, caught_up=update.caught_up)
        if unsure and self._question is None:
            self._question = self._ask(unsure, admin, now_ms)

    def _is_at_end(self, task: Task) -> bool:
        return self._ends.get(task.partition.number, -1) >= task.next_offset

    def _ask(self, tasks: Iterable[Task], admin: AdminClient, now_ms: int) -> Question:
        offsets = {task.partition.number: task.next_offset for task in tasks}
        places = [(self._topic, number) for number in offsets]
        return Question(now_ms, offsets, request_end_offsets(admin, places, _REQUEST_SECONDS))

    def _answered(self) -> dict[tuple[int, int], ClockUpdate]:
        """By partition and the offset asked for, once all answers are there."""
        question = self._question
        if question is None or not all(answer.done() for answer in question.answers.values()):
            return {}
        self._question = None
        return {
            (number, question.offsets[number]): ClockUpdate(question.asked_ms, self._is_end(number, answer))
            for (_, number), answer in question.answers.items()
        }

    def _is_end(self, number: int, answer: "Future[Any]") -> bool:
        try:
            return bool(answer.result().offset <= self._ends.get(number, -1))
        except KafkaException as error:
            details = {"topic": self._topic, "partition": number, "error": error.args[0].str()}
            _log.warning("end unknown", extra=details)
            return False
