"""Who may know that nothing is left to read: only who has been told so, and has asked again."""

from concurrent.futures import Future
from types import SimpleNamespace

from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import ManualClock
from wallaroo.engine.end_offsets import EndOffsets
from wallaroo.engine.task_group import TaskGroup
from wallaroo.record import Partition, Rewind


class Admin:
    """Answers when it is told to."""

    def __init__(self):
        self.asked = []

    def list_offsets(self, wanted, isolation_level, request_timeout):
        answers = {tp: Future() for tp in wanted}
        self.asked.append({tp.partition: answer for tp, answer in answers.items()})
        return answers

    def answer(self, **offsets):
        for number, answer in self.asked[-1].items():
            answer.set_result(SimpleNamespace(offset=offsets[f"p{number}"]))


class Timeline:
    is_idle = False
    awaits_end = True


class Task:
    """Notes what it gets to see."""

    def __init__(self, number=0, next_offset=10):
        self.partition = Partition("in", number)
        self.next_offset = next_offset
        self.timeline = Timeline()
        self.seen = []
        self.rewind = None
        self.rolled_back = False

    def advance_wall_clock(self, now_ms, *, caught_up):
        self.seen.append((now_ms, caught_up))
        return self.rewind

    def rollback(self):
        self.rolled_back = True
        return 7


class Loop:
    def __init__(self, *tasks):
        self.clock = ManualClock()
        self.ends = EndOffsets("in", self.clock)
        self.admin = Admin()
        self.tasks = tasks
        self.offset_after_commit = {}
        self.group = TaskGroup(
            lambda partition, _start, _stores: tasks[partition.number],
            lambda _number, _offset: None,
            self.await_commit,
            has_batches=False,
        )
        for task in tasks:
            self.group.start(task.partition, task.next_offset, {})

    def await_commit(self):
        for number, offset in self.offset_after_commit.items():
            self.tasks[number].next_offset = offset

    def look(self, milliseconds=250):
        self.clock.advance(milliseconds)
        self.ends.advance_wall_clock(self.group, self.admin)


def test_without_an_end_a_task_has_not_caught_up():
    loop = Loop(Task())
    loop.look()
    assert loop.tasks[0].seen == [(250, False)]
    assert loop.admin.asked == []


def test_it_looks_now_and_then():
    loop = Loop(Task())
    loop.look(100)
    loop.look(100)
    assert loop.tasks[0].seen == []
    loop.look(100)
    assert loop.tasks[0].seen == [(300, False)]


def test_a_task_to_which_the_end_means_nothing_yet_is_told_without_asking():
    loop = Loop(Task())
    loop.tasks[0].timeline.awaits_end = False
    loop.ends.reached(0, 10)
    loop.look()
    assert loop.tasks[0].seen == [(250, True)]
    assert loop.admin.asked == []


def test_before_the_wall_clock_counts_the_broker_is_asked_and_the_time_is_that_of_the_question():
    loop = Loop(Task())
    loop.ends.reached(0, 10)
    loop.look()
    loop.look()
    assert loop.tasks[0].seen == []
    loop.admin.answer(p0=10)
    loop.look()
    assert loop.tasks[0].seen == [(250, True)]
    assert len(loop.admin.asked) == 2


def test_an_end_that_has_moved_on_is_none():
    loop = Loop(Task())
    loop.ends.reached(0, 10)
    loop.look()
    loop.admin.answer(p0=11)
    loop.look()
    assert loop.tasks[0].seen == [(250, False)]


def test_an_end_behind_markers_is_one():
    loop = Loop(Task())
    loop.ends.reached(0, 12)
    loop.look()
    loop.admin.answer(p0=12)
    loop.look()
    assert loop.tasks[0].seen == [(250, True)]


def test_a_task_that_has_read_on_meanwhile_gets_no_old_answer():
    loop = Loop(Task())
    loop.ends.reached(0, 10)
    loop.look()
    loop.tasks[0].next_offset = 11
    loop.ends.reached(0, 11)
    loop.admin.answer(p0=10)
    loop.look()
    assert loop.tasks[0].seen == []


def test_a_broker_that_does_not_answer_closes_nothing():
    loop = Loop(Task())
    loop.ends.reached(0, 10)
    loop.look()
    for answer in loop.admin.asked[0].values():
        answer.set_exception(KafkaException(KafkaError(KafkaError._TRANSPORT)))
    loop.look()
    assert loop.tasks[0].seen == [(250, False)]


def test_one_question_is_for_all():
    loop = Loop(Task(0), Task(1), Task(2, next_offset=20))
    for number in range(3):
        loop.ends.reached(number, 10)
    loop.look()
    assert [sorted(asked) for asked in loop.admin.asked] == [[0, 1]]
    assert loop.tasks[2].seen == [(250, False)]


def test_a_partition_that_is_read_from_elsewhere_has_no_end():
    loop = Loop(Task())
    loop.ends.reached(0, 10)
    loop.ends.forget(0)
    loop.look()
    assert loop.tasks[0].seen == [(250, False)]
    assert loop.ends.last(0) == 0


def test_a_task_that_rests_is_left_alone():
    loop = Loop(Task())
    loop.tasks[0].timeline.is_idle = True
    loop.ends.reached(0, 10)
    loop.look()
    assert loop.tasks[0].seen == []
    assert loop.admin.asked == []


def test_a_task_that_wants_to_go_back_is_heard():
    loop = Loop(Task())
    loop.tasks[0].rewind = Rewind(Partition("in", 0), 7)
    loop.look()
    assert loop.group.rewound == {0}
    assert loop.tasks[0].rolled_back


def test_a_task_that_an_aborted_commit_rolls_back_meanwhile_has_not_caught_up_any_more():
    failing, other = Task(0), Task(1)
    loop = Loop(failing, other)
    loop.ends.reached(0, 10)
    loop.ends.reached(1, 10)
    loop.look()
    loop.admin.answer(p0=10, p1=10)
    failing.rewind = Rewind(Partition("in", 0), 7)
    loop.offset_after_commit = {1: 5}
    loop.look()
    assert failing.seen == [(250, True)]
    assert other.seen == []


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
    loop = Loop(Task(next_offset=11))
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
