"""Where the partitions of a loop end, and when the wall clock may move event time there.

Rules for whoever edits this file:
1. A partition ends where its last end-of-partition event was, until something is read behind it, or the
   consumer is sent elsewhere.
2. Before the wall clock moves a watermark, the broker is asked whether that is still the end, and the time
   is that of the question: no window may close over records of a broker that is out of reach.
3. The offset of a task is read in its own turn: an earlier task may have rolled it back.
4. Nothing here waits for an answer. The consumer itself is not asked: its requests queue up behind its polls.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.task_group import TaskGroup
from wallaroo.kafka.offsets import Place, request_end_offsets
from wallaroo.kafka.open_transactions import OpenTransactions

_log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 0.25
_REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Question:
    """A request for the ends of partitions, made when their tasks were at these offsets."""

    asked_ms: int
    offsets: Mapping[int, int]
    answers: Mapping[Place, "Future[Any]"]


class EndOffsets:
    """The ends of one topic's partitions, as one loop knows them."""

    def __init__(self, topic: str, clock: Clock, servers: str = "") -> None:
        self._topic = topic
        self._open_transactions = OpenTransactions(servers, clock)
        self._clock = clock
        self._ends: dict[int, int] = {}
        self._updated = clock.monotonic()
        self._question: _Question | None = None

    def reached(self, number: int, offset: int) -> None:
        """Note that there is nothing at this offset yet."""
        self._ends[number] = offset

    def forget(self, number: int) -> None:
        """Note that the consumer reads this partition from elsewhere."""
        self._ends.pop(number, None)

    def last(self, number: int) -> int:
        """The last end seen of a partition; 0 if there is none."""
        return self._ends.get(number, 0)

    @property
    def obstacle(self) -> str:
        """What keeps a partition from being read on; empty if nothing does."""
        return self._open_transactions.obstacle

    def watch(self, tasks: TaskGroup, consumer: Consumer, others: Mapping[Place, tuple[int, int]]) -> None:
        """Note where committed records end before all records do, in the input and in `others`."""
        stops = [(place, stop, end) for place, (stop, end) in list(others.items())]
        for task in tasks:
            number = task.partition.number
            stop = self._ends.get(number, -1)
            if stop >= task.next_offset:
                at = TopicPartition(self._topic, number)
                _, high = consumer.get_watermark_offsets(at, cached=True)
                stops.append(((self._topic, number), stop, high))
        self._open_transactions.update(stops)

    def advance_wall_clock(self, tasks: TaskGroup, admin: AdminClient) -> None:
        """Now and then, advance the wall clock of every task that depends on it."""
        now = self._clock.monotonic()
        if now - self._updated < _INTERVAL_SECONDS:
            return
        self._updated, now_ms = now, round(now * 1000)
        question = self._take_answered()
        unsure = []
        for task in tasks:
            number, offset = task.partition.number, task.next_offset
            if task.timeline.is_idle:
                continue
            at_end = self._ends.get(number, -1) >= offset
            if not (at_end and task.timeline.awaits_end):
                tasks.advance_wall_clock(task, now_ms, caught_up=at_end)
                continue
            unsure.append(task)
            if question is not None and question.offsets.get(number) == offset:
                caught_up = self._is_end(number, question.answers[self._topic, number])
                tasks.advance_wall_clock(task, question.asked_ms, caught_up=caught_up)
        if unsure and self._question is None:
            offsets = {task.partition.number: task.next_offset for task in unsure}
            places = [(self._topic, number) for number in offsets]
            self._question = _Question(now_ms, offsets, request_end_offsets(admin, places, _REQUEST_SECONDS))

    def _take_answered(self) -> _Question | None:
        """The question that was asked, once all its answers are there."""
        question = self._question
        if question is None or not all(answer.done() for answer in question.answers.values()):
            return None
        self._question = None
        return question

    def _is_end(self, number: int, answer: "Future[Any]") -> bool:
        try:
            return bool(answer.result().offset <= self._ends.get(number, -1))
        except KafkaException as error:
            details = {"topic": self._topic, "partition": number, "error": error.args[0].str()}
            _log.warning("end unknown", extra=details)
            return False
