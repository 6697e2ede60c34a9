"""Whose lag the supervisor shows: that of partitions of which nobody else speaks."""

from types import SimpleNamespace

import pytest

from wallaroo.clock import ManualClock
from wallaroo.engine.group_offsets import GroupInput
from wallaroo.engine.lag import Density, Reached
from wallaroo.observability import metrics
from wallaroo.observability.health import LoopStatus, WorkerStatus
from wallaroo.observability.measurements import Measurements
from wallaroo.service.lag_watch import LagWatch, is_settled, reports_lags, unreported, without_lags

HOP = GroupInput("by-user", "app-by-user", "hop", has_batches=True, from_start=True)
LOOP = LoopStatus("by-user", assigned=True, partitions=2, restoring=0, connected=True, problem=None)


def worker(answered=0.0, alive=True, ready=True, loops=(LOOP,)):
    return WorkerStatus(0, alive, answered, ready, loops)


def measured(**lags):
    made = Measurements()
    for name, lag in lags.items():
        made.set(metrics.CONSUMER_LAG, lag, "by-user", "hop", name[1:])
    made.count(metrics.REBALANCES, 1, "by-user")
    return made.snapshot()


class Cluster:
    """A group that has committed nothing, on a topic whose partitions end at 7."""

    def __init__(self, *elsewhere):
        self.asked = []
        self.elsewhere = [frozenset(("hop", number) for number in numbers) for numbers in elsewhere]

    def others(self, _read):
        return self.elsewhere

    def reached(self, _read, places):
        self.asked += places
        return {place: Reached(0, Density()) for place in places}

    def ends(self, places):
        return dict.fromkeys(places, 7)


class Watched:
    def __init__(self, cluster):
        self.clock = ManualClock()
        sampler = SimpleNamespace(records_per_offset=lambda *_rest: 10.0, close=lambda: None)
        self.watch = LagWatch([HOP], {"hop": 2}, cluster, sampler, self.clock)

    def look(self, *workers, after=0):
        self.clock.advance(after * 1000)
        self.watch.look(workers)
        return {labels[2]: lag for (_, labels), lag in self.watch.lags.items()}


@pytest.mark.parametrize(
    ("status", "now", "wanted"),
    [
        (worker(), 4, True),
        (worker(), 6, False),
        (worker(alive=False), 1, False),
        (worker(ready=False, loops=()), 1, False),
    ],
    ids=["answers", "silent", "dead", "starting"],
)
def test_a_worker_speaks_while_it_lives_and_answers(status, now, wanted):
    assert reports_lags(status, now) is wanted


@pytest.mark.parametrize(
    ("assigned", "restoring", "wanted"), [(True, 0, True), (False, 0, False), (True, 1, False)]
)
def test_a_worker_is_settled_once_it_has_and_has_restored_its_partitions(assigned, restoring, wanted):
    loop = LoopStatus("by-user", assigned, 2, restoring, connected=True, problem=None)
    assert is_settled(worker(loops=(loop,)), 1) is wanted


def test_what_a_dead_worker_measured_stays_but_for_its_lags():
    assert [name for name, _ in without_lags(measured(p0=7))] == [metrics.REBALANCES.name]


def test_what_a_worker_shows_is_left_to_it():
    places = [("hop", number) for number in range(3)]
    found = unreported(places, "by-user", {("by-user", "hop", "1"), ("other", "hop", "2")})
    assert found == [("hop", 0), ("hop", 2)]


def test_the_lag_of_a_worker_that_is_down_is_shown_in_records():
    watched = Watched(Cluster())
    assert watched.look((worker(alive=False), measured(p0=1))) == {"0": 70, "1": 70}


def test_a_worker_that_is_alive_shows_its_own():
    watched = Watched(Cluster())
    dead, alive = worker(alive=False), worker()
    assert watched.look((alive, measured(p1=5)), (dead, measured(p0=5))) == {"0": 70}


def test_what_another_instance_owns_is_not_shown_twice():
    watched = Watched(Cluster([1]))
    watched.look((worker(alive=False), {}))
    assert watched.look((worker(alive=False), {}), after=2) == {"0": 70}


def test_what_nobody_owns_in_the_middle_of_a_rebalance_is_not_shown_at_once():
    cluster = Cluster([], [])
    watched = Watched(cluster)
    assert watched.look((worker(alive=False), {})) == {}
    cluster.elsewhere = [frozenset({("hop", 0)})]
    assert watched.look((worker(alive=False), {}), after=2) == {"1": 70}


def test_once_all_workers_are_settled_nothing_is_asked_or_shown_any_more():
    cluster = Cluster()
    watched = Watched(cluster)
    watched.look((worker(alive=False), {}))
    cluster.asked.clear()
    assert watched.look((worker(answered=10), measured(p0=0, p1=0)), after=10) == {}
    assert cluster.asked == []


def test_a_worker_that_was_just_assigned_its_partitions_has_a_moment_to_measure_them():
    watched = Watched(Cluster())
    watched.look((worker(alive=False), {}))
    assert watched.look((worker(answered=3), {}), after=3) == {"0": 70, "1": 70}
