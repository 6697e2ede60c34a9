"""When a process group counts as healthy and as ready, and what it says otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallaroo.observability.health import (
    HealthReport,
    LoopStatus,
    WorkerStatus,
    health,
    readiness,
)

LOOP = LoopStatus("totals", assigned=True, partitions=4, restoring=0, connected=True, problem=None)
WORKER = WorkerStatus(0, alive=True, last_answer=100.0, ready=True, loops=(LOOP,))
STOPPED = replace(LOOP, problem="the topic transactions was deleted")


def with_loop(**changes: object) -> WorkerStatus:
    return replace(WORKER, loops=(LOOP, replace(LOOP, name="delivery", **changes)))


def test_workers_that_talk_are_healthy():
    assert health([WORKER, replace(WORKER, index=1)], 110.0) == HealthReport(True, ())


def test_before_any_worker_is_started_nothing_is_ill():
    assert health([], 110.0).ok


@pytest.mark.parametrize(("now", "ok"), [(130.0, True), (130.1, False)])
def test_a_silent_worker_is_ill_only_past_the_limit(now, ok):
    assert health([WORKER], now).ok is ok


@pytest.mark.parametrize(("now", "ok"), [(160.0, True), (160.1, False)])
def test_a_dead_worker_is_given_the_time_that_restarting_takes(now, ok):
    assert health([replace(WORKER, alive=False)], now).ok is ok


def test_a_silent_worker_is_named_with_its_silence_and_where_to_look():
    (reason,) = health([replace(WORKER, index=2)], 145.0).reasons
    assert reason.startswith("worker 2 has been silent for 45 s (limit 30 s)")
    assert "wallaroo_process_duration_seconds" in reason


def test_a_dead_worker_is_named_with_where_to_look():
    (reason,) = health([replace(WORKER, index=1, alive=False)], 190.0).reasons
    assert reason.startswith("worker 1 died 90 s ago")
    assert "wallaroo_worker_restarts_total" in reason


def test_a_stopped_loop_is_ill_at_once_and_says_why():
    (reason,) = health([replace(WORKER, loops=(LOOP, STOPPED))], 100.0).reasons
    assert reason.startswith("worker 0, loop 'totals' has stopped: the topic transactions was deleted;")


def test_a_group_that_restores_or_waits_for_a_receiver_is_healthy():
    assert health([with_loop(restoring=3, connected=False, assigned=False)], 100.0).ok


def test_the_reasons_of_all_workers_are_listed():
    workers = [WORKER, replace(WORKER, index=1, loops=(STOPPED,))]
    assert len(health(workers, 200.0).reasons) == 2


def test_assigned_restored_and_connected_loops_are_ready():
    assert readiness([WORKER, replace(WORKER, index=1)], 105.0) == HealthReport(True, ())


def test_a_worker_without_partitions_is_ready_once_the_group_has_said_so():
    assert readiness([with_loop(partitions=0)], 105.0).ok


def test_without_workers_nothing_is_ready():
    (reason,) = readiness([], 105.0).reasons
    assert "no worker has been started" in reason


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        (replace(WORKER, alive=False), "worker 0 is not running"),
        (replace(WORKER, ready=False), "worker 0 is starting"),
        (replace(WORKER, loops=()), "worker 0 is starting"),
        (with_loop(assigned=False), "worker 0, loop 'delivery': no partitions assigned yet"),
        (with_loop(restoring=3), "worker 0, loop 'delivery': restoring 3 of 4 partitions"),
        (with_loop(connected=False), "worker 0, loop 'delivery': its sink is not connected"),
        (with_loop(obstacle="it does not listen"), "worker 0, loop 'delivery': it does not listen"),
        (with_loop(problem="it was fenced"), "worker 0, loop 'delivery' has stopped: it was fenced"),
    ],
)
def test_what_is_missing_is_said_for_the_one_loop_that_lacks_it(worker, reason):
    report = readiness([worker], 105.0)
    assert not report.ok
    assert len(report.reasons) == 1
    assert report.reasons[0].startswith(reason)


def test_a_loop_that_lacks_several_things_says_them_all():
    assert len(readiness([with_loop(assigned=False, connected=False)], 105.0).reasons) == 2


FAILING = replace(
    WORKER, deaths=4, failing_since=40.0, started=98.0, last_death="exit code 1: loop 'totals' failed: no"
)


def test_a_worker_that_keeps_dying_is_ill_even_while_it_lives():
    (reason,) = health([FAILING], 101.0).reasons
    assert reason.startswith(
        "worker 0 has died 4 times in a row, the last time by exit code 1: loop 'totals'"
    )


def test_a_worker_that_has_only_begun_to_die_is_given_time():
    assert health([replace(FAILING, failing_since=50.0)], 101.0).ok


def test_workers_that_die_because_the_cluster_is_away_are_not_ill():
    assert health([FAILING], 101.0, cluster_is_away=True).ok


@pytest.mark.parametrize(("now", "ok"), [(107.9, False), (108.1, True)])
def test_a_worker_that_keeps_dying_is_not_ready_before_it_has_lived_for_a_while(now, ok):
    assert readiness([FAILING], now).ok is ok


def test_a_worker_that_is_not_running_says_how_it_ended():
    (reason,) = readiness(
        [replace(WORKER, alive=False, deaths=1, last_death="killed by SIGKILL")], 110.0
    ).reasons
    assert reason.startswith("worker 0 is not running (killed by SIGKILL); ")


@pytest.mark.parametrize(("now", "ok"), [(109.0, True), (109.1, False)])
def test_a_worker_that_stands_still_is_not_ready_within_ten_seconds(now, ok):
    report = readiness([WORKER], now)
    assert report.ok is ok
    assert ok or "worker 0 has not answered for 9 s" in report.reasons[0]
