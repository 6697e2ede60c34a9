"""The commit cycle: how long what is pending waits, and that a commit ends or ends the worker."""

import threading

import pytest
from confluent_kafka import TopicPartition

from tests.unit.engine.fake_group import TOPIC, FakeConsumer, FakeTask, FakeWriter, Record
from wallaroo.clock import ManualClock
from wallaroo.engine.clients import commit_timeout_seconds
from wallaroo.engine.commit_cycle import Clients, CommitCycle, new_watch
from wallaroo.engine.hole import MissingResultsError
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.engine.pacing import CommitPacing
from wallaroo.engine.task_group import TaskGroup
from wallaroo.engine.transaction import COMMITTED, CommitResult
from wallaroo.errors import CommitError
from wallaroo.record import Partition


@pytest.fixture
def tasks():
    tasks = TaskGroup(
        lambda at, start, _stores: FakeTask(at, start), lambda _n, _o: None, lambda: None, has_batches=False
    )
    tasks.start(Partition(TOPIC, 0), 0, {})
    return tasks


@pytest.fixture
def task(tasks):
    return tasks.get(0)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def new_cycle(tasks, clock):
    """A function that makes a cycle which commits in these steps."""

    def made(*steps, **timeout):
        pacing = CommitPacing(
            interval_seconds=0.1, linger_seconds=0.001, most_records=100, started=0, ended=0
        )
        clients = Clients(FakeConsumer({}, {}, []), None, *steps, **timeout)
        return CommitCycle(tasks, clients, pacing, LoopMetrics("sub"), clock)

    return made


@pytest.fixture
def cycle(new_cycle):
    return new_cycle(FakeWriter(set()))


@pytest.fixture
def go():
    """What a commit waits for in `when_told`, set at the end of the test at the latest."""
    go = threading.Event()
    yield go
    go.set()


@pytest.fixture
def when_told(go):
    def commit_when_told(_commit):
        go.wait()
        return COMMITTED

    return commit_when_told


def test_with_nothing_pending_nothing_has_to_wait(cycle):
    cycle.commit_if_due(dry=True)
    assert cycle.seconds_to_linger() is None


def test_what_is_pending_waits_as_long_as_it_is_to_linger(cycle, task):
    task.process([Record(0, 0)])
    cycle.commit_if_due(dry=True)
    assert not cycle.in_progress
    assert cycle.seconds_to_linger() == pytest.approx(0.001)


def test_what_has_lingered_is_committed_and_nothing_has_to_wait(cycle, task, clock):
    clock.advance(1)
    task.process([Record(0, 0)])
    cycle.commit_if_due(dry=True)
    assert cycle.in_progress
    assert cycle.seconds_to_linger() is None


def test_what_came_after_a_full_list_is_asked_for_at_once(cycle, task, clock):
    clock.advance(2)
    task.process([Record(0, 0)])
    cycle.commit_if_due(dry=False)
    assert cycle.seconds_to_linger() == 0


def test_a_commit_that_ends_is_told_to_its_tasks(cycle, task):
    task.process([Record(0, 0)])
    cycle.commit_and_wait()
    assert not cycle.in_progress
    assert task.rollback() == 1


def test_an_aborted_commit_takes_its_tasks_back(new_cycle, task):
    cycle = new_cycle(FakeWriter({1}))
    task.process([Record(0, 0)])
    cycle.commit_and_wait()
    assert task.next_offset == 0


def test_the_last_step_of_a_commit_decides_in_the_thread_of_the_loop(new_cycle, task):
    finishing = []

    def finish(_commit):
        finishing.append(threading.current_thread())
        return COMMITTED

    cycle = new_cycle(FakeWriter({2}), finish)
    for offset in range(2):
        task.process([Record(0, offset)])
        cycle.commit_and_wait()
    assert finishing == [threading.current_thread()]
    assert task.next_offset == 1


def test_a_commit_that_never_ends_ends_the_worker_instead_of_holding_it_for_ever(new_cycle, task, when_told):
    cycle = new_cycle(when_told, timeout_seconds=0.01)
    task.process([Record(0, 0)])
    with pytest.raises(CommitError, match=r"not ended within 0.01 s"):
        cycle.commit_and_wait()


def test_a_commit_that_is_out_of_time_counts_as_over_so_that_an_idle_loop_notices(
    new_cycle, task, clock, when_told
):
    cycle = new_cycle(when_told, timeout_seconds=0)
    task.process([Record(0, 0)])
    clock.advance(2)
    cycle.commit_if_due(dry=True)
    assert cycle.is_over


def test_what_has_kept_commits_from_succeeding_is_said_when_the_worker_ends(tasks, task, clock):
    cause = ValueError("fenced")

    def fail(_commit):
        raise CommitError("the transactional producer cannot go on: fenced") from cause

    pacing = CommitPacing(interval_seconds=0.1, linger_seconds=0.001, most_records=100, started=0, ended=0)
    watch = new_watch("sub", clock)
    cycle = CommitCycle(
        tasks, Clients(FakeConsumer({}, {}, []), None, fail), pacing, LoopMetrics("sub"), clock, watch
    )
    watch.begun(lambda: ["alerts"])
    watch.aborted("alerts is gone")
    clock.advance(11_000)
    task.process([Record(0, 0)])
    with pytest.raises(
        CommitError, match=r"^nothing has been committed since .*alerts is gone; .*fenced$"
    ) as raised:
        cycle.commit_and_wait()
    assert raised.value.__cause__ is cause


def test_waiting_ends_with_the_commit(new_cycle, task, clock, when_told, go):
    cycle = new_cycle(when_told)
    task.process([Record(0, 0)])
    clock.advance(2)
    cycle.commit_if_due(dry=True)
    cycle.wait(0.001)
    assert not cycle.is_over
    go.set()
    cycle.wait(60)
    assert cycle.is_over


def test_without_a_commit_nothing_is_waited_for(cycle):
    cycle.wait(60)
    assert not cycle.is_over


def test_a_commit_may_take_until_the_broker_has_ended_its_transaction():
    assert commit_timeout_seconds(60_000) == 70


class Marking(FakeConsumer):
    """A consumer that remembers what it commits."""

    def __init__(self):
        super().__init__({}, {}, [])
        self.marked = []

    def commit(self, offsets, asynchronous):
        self.marked += [(tp.partition, tp.offset, tp.metadata) for tp in offsets]


def test_where_results_are_missing_the_group_is_marked_before_the_worker_ends(tasks, task, clock):
    consumer, mark = Marking(), TopicPartition(TOPIC, 0, 15, "1H10")

    def write(_commit):
        raise MissingResultsError("results are missing", [mark])

    pacing = CommitPacing(interval_seconds=0.1, linger_seconds=0.001, most_records=100, started=0, ended=0)
    cycle = CommitCycle(tasks, Clients(consumer, None, write), pacing, LoopMetrics("sub"), clock)
    task.process([Record(0, 0)])
    with pytest.raises(MissingResultsError):
        cycle.commit_and_wait()
    assert consumer.marked == [(0, 15, "1H10")]


OUTDATED = CommitResult(committed=False, reason="generation is not valid", is_outdated=True)


def test_a_commit_in_the_middle_of_a_rebalance_is_written_again_and_takes_nobody_back(new_cycle, task):
    results, written = iter([OUTDATED, OUTDATED, COMMITTED]), []

    def write(commit):
        written.append(commit.batches)
        return next(results)

    task.process([Record(0, 0)])
    new_cycle(write).commit_and_wait()
    assert written[0] == written[1] == written[2]
    assert task.next_offset == 1


def test_a_commit_is_not_written_again_for_a_partition_that_is_lost(new_cycle, task, tasks, go, clock):
    written = []

    def write(commit):
        written.append(commit)
        go.wait()
        return OUTDATED

    cycle = new_cycle(write)
    clock.advance(1)
    task.process([Record(0, 0)])
    cycle.commit_if_due(dry=True)
    tasks.drop(0)
    go.set()
    cycle.await_result()
    assert len(written) == 1


def test_a_group_that_rebalances_for_ever_aborts_the_commit(new_cycle, task):
    task.process([Record(0, 0)])
    new_cycle(lambda _commit: OUTDATED).commit_and_wait()
    assert task.next_offset == 0
