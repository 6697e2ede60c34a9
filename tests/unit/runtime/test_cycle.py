"""The commit cycle: for how long what is pending has to wait."""

import pytest

from tests.unit.runtime.fake_group import TOPIC, FakeTask, FakeWriter, Record
from wallaroo.clock import ManualClock
from wallaroo.engine.commit_cycle import CommitCycle
from wallaroo.engine.committer import Committer
from wallaroo.engine.metrics import LoopMeasures
from wallaroo.engine.pacing import Pace
from wallaroo.record import Partition


@pytest.fixture
def task():
    return FakeTask(Partition(TOPIC, 0), 0)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def cycle(task, clock):
    pace = Pace(interval_seconds=0.1, linger_seconds=0.001, most_records=100, started=0.0, landed=0.0)
    committer = Committer(FakeWriter(set()))
    return CommitCycle({0: task}, committer, pace, LoopMeasures("sub"), lambda _task, _offset: None, clock)


def test_with_nothing_pending_nothing_has_to_wait(cycle):
    cycle.when_due(lambda: None, dry=True)
    assert cycle.rest() is None


def test_what_is_pending_waits_as_long_as_it_is_to_linger(cycle, task):
    task.process([Record(0, 0)])
    cycle.when_due(lambda: None, dry=True)
    assert not cycle.in_flight
    assert cycle.rest() == pytest.approx(0.001)


def test_what_has_lingered_flies_and_nothing_has_to_wait(cycle, task, clock):
    clock.advance(1)
    task.process([Record(0, 0)])
    cycle.when_due(lambda: None, dry=True)
    assert cycle.in_flight
    assert cycle.rest() is None


def test_what_came_after_a_full_list_is_asked_for_at_once(cycle, task, clock):
    clock.advance(2)
    task.process([Record(0, 0)])
    cycle.when_due(lambda: None, dry=False)
    assert cycle.rest() == 0
