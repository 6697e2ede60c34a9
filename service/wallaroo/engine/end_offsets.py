"""Where partitions end, as one loop knows it, and when it asks so that the wall clock may move event time.

Rules for whoever edits this file:
1. Before the wall clock moves a watermark, or an idle upstream is left out, the broker is asked where the
   partitions end, and the time is that of the question: no window may close over records of a broker that
   is out of reach.
2. Every task looks at the time after each of its slices, before the next commit: the wait of an idle
   partition begins with its last record, and is committed with it.
3. One question is in flight at a time, for all tasks that have one; nothing is asked in vain. The loop's
   consumer itself is not asked: its requests queue up behind its polls.
4. A task that stops being idle is looked at again, even if it has read nothing since: a commit does that to
   one that had become idle before its last records were committed.
5. An answer is taken in a later turn. A task that has read on or has been rolled back meanwhile has
   forgotten its question.
"""

import logging
import math
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.task_group import TaskGroup
from wallaroo.kafka.offsets import Place, request_end_offsets
from wallaroo.kafka.open_transactions import OpenTransactions
from wallaroo.record import Question
from wallaroo.task.task import Task

_log = logging.getLogger(__name__)

# Between two questions of a loop.
_PACE_SECONDS = 0.05
_REQUEST_SECONDS = 5.0
# How long the loop may wait for records while it waits for an answer, too, and once the answer is slow.
_ANSWER_SECONDS, _SLOW_ANSWER_SECONDS = 0.005, 0.05

# Requests the ends of partitions; each result has it as `offset`.
RequestEnds = Callable[[Collection[Place]], Mapping[Place, "Future[Any]"]]


@dataclass(frozen=True, slots=True)
class _Request:
    """The questions of tasks, by partition number, and the answers of the broker."""

    asked: float
    questions: Mapping[int, Question]
    answers: Mapping[Place, "Future[Any]"]

    @property
    def is_answered(self) -> bool:
        return all(answer.done() for answer in self.answers.values())


def ask_broker(admin: AdminClient) -> RequestEnds:
    """Return a function that requests ends from the cluster of this client."""
    return lambda places: request_end_offsets(admin, places, _REQUEST_SECONDS)


class EndOffsets:
    """The ends of one topic's partitions, as one loop knows them, and its questions about ends."""

    def __init__(
        self, topic: str, clock: Clock, servers: str = "", pace_seconds: float = _PACE_SECONDS
    ) -> None:
        self._topic = topic
        self._open_transactions = OpenTransactions(servers, clock)
        self._clock = clock
        self._pace_seconds = pace_seconds
        self._eofs: dict[int, int] = {}
        # What was last seen of each task: the offset that it reads next, and whether it was idle.
        self._seen: dict[int, tuple[int, bool]] = {}
        self._request: _Request | None = None
        self._asked = clock.monotonic() - pace_seconds
        self._next_look = math.inf
        # The time of day when this began; from then on, the pace of a clock that nobody sets.
        self._epoch = clock.now_ms() / 1000 - clock.monotonic()

    def reached(self, number: int, offset: int) -> None:
        """Note that there is nothing at this offset yet."""
        self._eofs[number] = offset
        self._seen.pop(number, None)

    def forget(self, number: int) -> None:
        """Note that the consumer reads this partition from elsewhere."""
        self._eofs.pop(number, None)
        self._seen.pop(number, None)

    def last(self, number: int) -> int:
        """The last end seen of a partition; 0 if there is none."""
        return self._eofs.get(number, 0)

    def is_reached(self, task: Task) -> bool:
        """Whether there is nothing behind what a task has processed, as far as has been seen."""
        return self._eofs.get(task.partition.number, -1) >= task.next_offset

    @property
    def obstacle(self) -> str:
        """What keeps a partition from being read on; empty if nothing does."""
        return self._open_transactions.obstacle

    def watch(self, tasks: TaskGroup, consumer: Consumer, others: Mapping[Place, tuple[int, int]]) -> None:
        """Note where committed records end before all records do, in the input and in `others`."""
        stops = [(place, stop, end) for place, (stop, end) in list(others.items())]
        for task in tasks:
            number = task.partition.number
            stop = self._eofs.get(number, -1)
            if stop >= task.next_offset:
                at = TopicPartition(self._topic, number)
                _, high = consumer.get_watermark_offsets(at, cached=True)
                stops.append(((self._topic, number), stop, high))
        self._open_transactions.update(stops)

    def advance_wall_clock(self, tasks: TaskGroup, request_ends: RequestEnds) -> bool:
        """Take an answer that is there, let tasks look at the time, and ask what they need to know.

        Returns whether something was asked or answered.
        """
        now = self._clock.monotonic()
        for task in tasks:
            if self._seen.get(task.partition.number) != (task.next_offset, task.timeline.is_idle):
                self._observe(task, now)
        answered = self._take_answer(tasks)
        if not answered and now < self._next_look:
            return False
        return self._look(tasks, now, request_ends) or answered

    def seconds_to_look(self) -> float:
        """How long the loop may wait for records before it looks again."""
        now = self._clock.monotonic()
        if self._request is None:
            return max(0.0, self._next_look - now)
        slow = now - self._request.asked > self._pace_seconds
        return _SLOW_ANSWER_SECONDS if slow else _ANSWER_SECONDS

    def _observe(self, task: Task, now: float) -> None:
        number = task.partition.number
        task.observe(self._as_ms(now), self._eofs.get(number))
        self._seen[number] = task.next_offset, task.timeline.is_idle
        self._next_look = min(self._next_look, self._due(task))

    def _look(self, tasks: TaskGroup, now: float, request_ends: RequestEnds) -> bool:
        """Ask for all tasks for which it is time; returns whether any has a question."""
        self._next_look = math.inf
        if self._request is not None:
            return False
        dues = {task: self._due(task) for task in tasks}
        earliest = self._asked + self._pace_seconds
        due = [task for task, at in dues.items() if at <= now]
        if due and now >= earliest:
            self._ask(due, now, request_ends)
            return True
        self._next_look = max(earliest, min(dues.values(), default=math.inf))
        return False

    def _ask(self, tasks: Collection[Task], now: float, request_ends: RequestEnds) -> None:
        questions = {task.partition.number: task.timeline.ask(self._as_ms(now)) for task in tasks}
        places = {place for question in questions.values() for place in question.upstreams}
        places |= {(self._topic, number) for number, question in questions.items() if question.of_input}
        self._asked = now
        self._request = _Request(now, questions, request_ends(places))

    def _take_answer(self, tasks: TaskGroup) -> bool:
        """Let the tasks that have asked move on, once all answers are there."""
        request = self._request
        if request is None or not request.is_answered:
            return False
        self._request = None
        ends = {place: _end(place, answer) for place, answer in request.answers.items()}
        for number, question in request.questions.items():
            task = tasks.get(number)
            if task is not None:
                tasks.answer(task, question, ends)
                self._seen.pop(number, None)
        return True

    def _due(self, task: Task) -> float:
        due = task.timeline.due_ms
        return math.inf if due is None else due / 1000 - self._epoch

    def _as_ms(self, now: float) -> int:
        return round((self._epoch + now) * 1000)


def _end(place: Place, answer: "Future[Any]") -> int | None:
    try:
        return int(answer.result().offset)
    except KafkaException as error:
        topic, partition = place
        details = {"topic": topic, "partition": partition, "error": error.args[0].str()}
        _log.warning("end unknown", extra=details)
        return None
