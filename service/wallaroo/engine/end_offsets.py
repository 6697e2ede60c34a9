"""Where the partitions of a loop end, and what passing time means to the tasks there.

Rules for whoever edits this file:
1. A partition ends where its last end-of-partition event was, until something is read behind it, or the
   consumer is sent elsewhere.
2. Before the wall clock moves a watermark, the broker is asked whether that is still the end, and the time
   is that of the question: who cannot reach the broker must not close windows over what waits there.
3. Nothing here waits. The consumer itself is not asked: its questions queue up behind its long polls.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from wallaroo.clock import Clock
from wallaroo.record import Rewind
from wallaroo.task.task import Task

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
_REQUEST_SECONDS = 5.0

_Answers = Mapping[int, "Future[Any]"]


class Sight(NamedTuple):
    """What a task gets to see: a time, and whether there was nothing left to read then."""

    now_ms: int
    caught_up: bool


@dataclass(frozen=True, slots=True)
class Question:
    """Where do these partitions end? Asked at a time when their tasks were at these offsets."""

    asked_ms: int
    offsets: Mapping[int, int]
    answers: _Answers


class EndOffsets:
    """The ends of one topic's partitions, as one loop knows them."""

    def __init__(self, topic: str, clock: Clock) -> None:
        self._topic = topic
        self._clock = clock
        self._ends: dict[int, int] = {}
        self._looked = clock.monotonic()
        self._question: Question | None = None

    def reached(self, number: int, offset: int) -> None:
        """There is nothing at this offset yet."""
        self._ends[number] = offset

    def forget(self, number: int) -> None:
        """The consumer reads this partition from elsewhere."""
        self._ends.pop(number, None)

    def last(self, number: int) -> int:
        return self._ends.get(number, 0)

    def look(self, tasks: Iterable[Task], admin: AdminClient, rewind: Callable[[Task, Rewind], None]) -> None:
        """Now and then, let every task to which it matters see what time it is."""
        now = self._clock.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked, now_ms = now, round(now * 1000)
        waiting = [task for task in tasks if not task.timeline.is_idle]
        unsure = [task for task in waiting if task.timeline.awaits_end and self._is_at_end(task)]
        sights = {task.partition.number: Sight(now_ms, self._is_at_end(task)) for task in waiting}
        answered = self._answered()
        for task in unsure:
            number = task.partition.number
            del sights[number]
            if (number, task.next_offset) in answered:
                sights[number] = answered[number, task.next_offset]
        for task in waiting:
            sight = sights.get(task.partition.number)
            if sight is None:
                continue
            if answer := task.advance_wall_clock(sight.now_ms, caught_up=sight.caught_up):
                rewind(task, answer)
        if unsure and self._question is None:
            self._question = self._ask(unsure, admin, now_ms)

    def _is_at_end(self, task: Task) -> bool:
        return self._ends.get(task.partition.number, -1) >= task.next_offset

    def _ask(self, tasks: Iterable[Task], admin: AdminClient, now_ms: int) -> Question:
        offsets = {task.partition.number: task.next_offset for task in tasks}
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = admin.list_offsets(
            {TopicPartition(self._topic, number): latest for number in offsets},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=_REQUEST_SECONDS,
        )
        return Question(now_ms, offsets, {tp.partition: answer for tp, answer in asked.items()})

    def _answered(self) -> dict[tuple[int, int], Sight]:
        """By partition and the offset asked for, once all answers are there."""
        question = self._question
        if question is None or not all(answer.done() for answer in question.answers.values()):
            return {}
        self._question = None
        return {
            (number, question.offsets[number]): Sight(question.asked_ms, self._is_end(number, answer))
            for number, answer in question.answers.items()
        }

    def _is_end(self, number: int, answer: "Future[Any]") -> bool:
        try:
            return bool(answer.result().offset <= self._ends.get(number, -1))
        except KafkaException as error:
            details = {"topic": self._topic, "partition": number, "error": error.args[0].str()}
            _log.warning("end unknown", extra=details)
            return False
