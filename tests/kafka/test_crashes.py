"""Processes that are killed at random moments under load change nothing."""

import os
import signal

import pytest

from tests.kafka.cluster import wait_until
from tests.kafka.crashing import at_any_moment
from tests.kafka.model import transactions
from tests.kafka.scenario import PARTITIONS

pytestmark = pytest.mark.slow
WITHOUT_HOP = ("--partitioned-by-user",)


def assigned(service, worker):
    return service.metric("wallaroo_assigned_partitions", worker=str(worker))


def kill_workers(service, rng, times):
    for wanted in range(1, times + 1):
        at_any_moment(rng)
        service.kill_worker(rng)
        wait_until(lambda wanted=wanted: service.words().count("worker restarted") >= wanted)


@pytest.mark.parametrize(("workers", "arguments"), [(1, ()), (2, WITHOUT_HOP)], ids=["hop", "no-hop"])
def test_a_worker_killed_at_random_moments_changes_nothing(scenario, rng, workers, arguments):
    scenario.arguments = arguments
    service = scenario.start(workers=workers)
    with scenario.feeding(transactions(rng, 20_000), seconds=20) as feed:
        kill_workers(service, rng, times=4)
        feed.hurry()
    scenario.finish()


def test_everything_killed_at_one_stroke_goes_on_after_a_restart(scenario, rng):
    service = scenario.start(workers=2)
    with scenario.feeding(transactions(rng, 15_000), seconds=15) as feed:
        at_any_moment(rng)
        service.kill_all()
        service.start()
        service.wait_ready()
        at_any_moment(rng)
        service.kill_all()
        service.start()
        service.wait_ready()
        feed.hurry()
    scenario.finish()


def test_workers_end_with_their_supervisor(scenario, rng):
    service = scenario.start(workers=2)
    with scenario.feeding(transactions(rng, 10_000), seconds=10) as feed:
        at_any_moment(rng)
        service.kill_supervisor()
        wait_until(lambda: not service.session_lives())
        service.start()
        service.wait_ready()
        feed.hurry()
    scenario.finish()


def test_a_worker_that_was_given_up_and_comes_back_changes_nothing(scenario, rng):
    scenario.arguments = WITHOUT_HOP
    service = scenario.start(workers=2, session_timeout_ms=6_000)
    wait_until(lambda: assigned(service, 0) == assigned(service, 1) == PARTITIONS / 2)
    heir = rng.randrange(2)
    frozen = service.worker_pids()[1 - heir]
    with scenario.feeding(transactions(rng, 15_000), seconds=30) as feed:
        at_any_moment(rng)
        os.kill(frozen, signal.SIGSTOP)
        wait_until(lambda: assigned(service, heir) == PARTITIONS)
        os.kill(frozen, signal.SIGCONT)
        wait_until(lambda: "partitions lost" in service.words())
        feed.hurry()
    scenario.finish()


def test_a_restarted_worker_has_its_partitions_back_without_a_rebalance(scenario, rng):
    scenario.arguments = WITHOUT_HOP
    service = scenario.start(workers=2)
    # Both: between the two rounds of a cooperative rebalance one of them has its own already.
    for worker in ("0", "1"):
        wait_until(lambda w=worker: service.metric("wallaroo_assigned_partitions", worker=w) == 2)
    before = service.metric("wallaroo_rebalances_total", worker="1")
    os.kill(service.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: "worker restarted" in service.words())
    wait_until(lambda: service.metric("wallaroo_assigned_partitions", worker="0") == 2)
    assert service.metric("wallaroo_rebalances_total", worker="1") == before
