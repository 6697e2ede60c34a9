"""When the broker is asked where partitions end: only if something waits for it, one question at a time."""

import math
from concurrent.futures import Future
from types import SimpleNamespace

from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import ManualClock
from wallaroo.engine.end_offsets import EndOffsets
from wallaroo.engine.task_group import TaskGroup
from wallaroo.record import Partition, Question, Rewind


class Broker:
    """Answers when it is told to."""

    def __init__(self):
        self.asked = []

    def __call__(self, places):
        self.asked.append({place: Future() for place in places})
        return self.asked[-1]

    def answer(self, offset=10):
        for future in self.asked[-1].values():
            future.set_result(SimpleNamespace(offset=offset))

    def fail(self):
        for future in self.asked[-1].values():
            future.set_exception(KafkaException(KafkaError(KafkaError._TRANSPORT)))


class Timeline:
    """Asks for the end of its partition, and for those of upstreams, when it is due."""

    def __init__(self, number, upstreams=None):
        self.number = number
        self.due_ms = 0
        self.is_idle = False
        self.upstreams = upstreams or {}

    def ask(self, now_ms):
        return Question(now_ms, 10, 0, self.upstreams, of_input=True)


class Task:
    """Notes what it gets to see."""

    def __init__(self, number=0, upstreams=None):
        self.partition = Partition("in", number)
        self.next_offset = 10
        self.timeline = Timeline(number, upstreams)
        self.observed, self.answers = [], []
        self.rewind = None
        self.rolled_back = False

    def observe(self, now_ms, eof):
        self.observed.append((now_ms, eof))

    def answer(self, question, ends):
        self.answers.append((question.asked_ms, dict(ends)))
        self.timeline.due_ms = None
        return self.rewind

    def rollback(self):
        self.rolled_back = True
        return 7


class Loop:
    def __init__(self, *tasks):
        self.clock = ManualClock()
        self.ends = EndOffsets("in", self.clock)
        self.broker = Broker()
        self.tasks = tasks
        self.group = TaskGroup(
            lambda partition, _start, _stores: tasks[partition.number],
            lambda number, _offset: self.ends.forget(number),
            lambda: None,
            has_batches=False,
        )
        for task in tasks:
            self.group.start(task.partition, task.next_offset, {})

    def turn(self, milliseconds=1):
        self.clock.advance(milliseconds)
        return self.ends.advance_wall_clock(self.group, self.broker)


def test_a_task_sees_the_time_of_its_last_record_and_where_its_partition_ended():
    task = Task()
    loop = Loop(task)
    loop.turn(5)
    loop.turn(5)
    task.next_offset = 11
    loop.turn(5)
    loop.ends.reached(0, 12)
    loop.turn(5)
    assert task.observed == [(5, None), (15, None), (20, 12)]


def test_a_partition_that_is_read_from_elsewhere_has_no_end():
    task = Task()
    loop = Loop(task)
    loop.ends.reached(0, 10)
    loop.ends.forget(0)
    loop.turn()
    assert task.observed == [(1, None)]
    assert loop.ends.last(0) == 0


def test_a_task_that_waits_for_nothing_asks_nothing_and_lets_the_loop_sleep():
    task = Task()
    task.timeline.due_ms = None
    loop = Loop(task)
    loop.turn()
    loop.turn(10_000)
    assert loop.broker.asked == []
    assert loop.ends.seconds_to_look() == math.inf


def test_the_loop_looks_again_when_a_task_has_a_question_and_not_before():
    task = Task()
    task.timeline.due_ms = 300
    loop = Loop(task)
    loop.turn(100)
    assert (loop.broker.asked, round(loop.ends.seconds_to_look(), 6)) == ([], 0.2)
    loop.turn(200)
    assert list(loop.broker.asked[0]) == [("in", 0)]


def test_a_task_that_a_commit_has_made_busy_again_is_looked_at_again():
    task = Task()
    task.timeline.is_idle, task.timeline.due_ms = True, None
    loop = Loop(task)
    assert not loop.turn(60)
    task.timeline.is_idle, task.timeline.due_ms = False, 0
    assert loop.turn(60)


def test_a_task_that_an_answer_has_made_idle_and_a_commit_busy_again_is_looked_at_again():
    task = Task()
    loop = Loop(task)
    loop.turn()
    loop.broker.answer()
    loop.turn()
    # What the answer changes, the commit of the same turn takes back.
    task.timeline.due_ms = 0
    loop.turn(60)
    assert len(loop.broker.asked) == 2


def test_an_answer_is_taken_in_a_later_turn_and_the_time_is_that_of_the_question():
    task = Task()
    loop = Loop(task)
    assert loop.turn(100)
    assert 0 < loop.ends.seconds_to_look() < 0.01
    loop.broker.answer(10)
    assert task.answers == []
    assert loop.turn(20)
    assert task.answers == [(100, {("in", 0): 10})]


def test_one_question_at_a_time_is_for_all_tasks_and_their_upstreams():
    tasks = [Task(0, {("up", 0): 3}), Task(1, {("up", 0): 4, ("up", 1): 5}), Task(2)]
    tasks[2].timeline.due_ms = 10**6
    loop = Loop(*tasks)
    loop.turn()
    loop.turn()
    assert [sorted(asked) for asked in loop.broker.asked] == [[("in", 0), ("in", 1), ("up", 0), ("up", 1)]]
    loop.broker.answer()
    loop.turn()
    assert [len(task.answers) for task in tasks] == [1, 1, 0]


def test_a_question_that_comes_up_while_another_is_in_flight_is_asked_when_that_is_answered():
    first, second = Task(0), Task(1)
    second.timeline.due_ms = 10
    loop = Loop(first, second)
    loop.turn()
    loop.turn(60)
    assert len(loop.broker.asked) == 1
    loop.broker.answer()
    loop.turn()
    assert [list(asked) for asked in loop.broker.asked] == [[("in", 0)], [("in", 1)]]


def test_questions_are_no_closer_than_the_pace():
    task = Task()
    loop = Loop(task)
    loop.turn()
    loop.broker.answer()
    loop.turn()
    task.timeline.due_ms = 0
    task.next_offset = 11
    loop.turn()
    assert len(loop.broker.asked) == 1
    assert 0.04 < loop.ends.seconds_to_look() <= 0.05
    loop.turn(60)
    assert len(loop.broker.asked) == 2


def test_a_broker_that_does_not_answer_is_no_end():
    task = Task()
    loop = Loop(task)
    loop.turn()
    loop.turn(4_000)
    assert loop.ends.seconds_to_look() == 0.05
    loop.broker.fail()
    loop.turn()
    assert task.answers == [(1, {("in", 0): None})]


def test_a_task_that_has_gone_meanwhile_hears_nothing():
    task = Task()
    loop = Loop(task)
    loop.turn()
    loop.group.drop(0)
    loop.broker.answer()
    loop.turn()
    assert task.answers == []


def test_a_task_that_wants_to_go_back_is_heard():
    task = Task()
    task.rewind = Rewind(Partition("in", 0), 7)
    loop = Loop(task)
    loop.turn()
    loop.broker.answer()
    loop.turn()
    assert loop.group.rewound == {0}
    assert task.rolled_back


class Watermarks:
    """A consumer that knows one end for all partitions, committed or not."""

    def __init__(self, high):
        self._high = high

    def get_watermark_offsets(self, _at, cached):
        assert cached
        return 0, self._high


def test_an_input_that_stops_before_its_end_for_a_minute_is_an_obstacle():
    loop = Loop(Task())
    loop.ends.reached(0, 10)
    loop.ends.watch(loop.group, Watermarks(12), {})
    loop.clock.advance(60_000)
    loop.ends.watch(loop.group, Watermarks(12), {})
    assert loop.ends.obstacle.startswith("in[0] cannot be read beyond offset 10 ")


def test_an_input_that_is_still_being_read_is_none():
    task = Task()
    loop = Loop(task)
    task.next_offset = 11
    loop.ends.reached(0, 10)
    loop.ends.watch(loop.group, Watermarks(12), {})
    loop.clock.advance(60_000)
    loop.ends.watch(loop.group, Watermarks(12), {})
    assert loop.ends.obstacle == ""


def test_a_changelog_that_stops_before_its_end_is_one_too():
    loop = Loop()
    others = {("totals-changelog", 3): (5, 9)}
    loop.ends.watch(loop.group, Watermarks(0), others)
    loop.clock.advance(60_000)
    loop.ends.watch(loop.group, Watermarks(0), others)
    assert loop.ends.obstacle.startswith("totals-changelog[3] cannot be read beyond offset 5 ")
