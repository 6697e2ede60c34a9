"""A worker that dies at a named point of a commit, or of a restore, changes nothing."""

import pytest

from tests.kafka.cluster import wait_until
from tests.kafka.model import transactions

pytestmark = pytest.mark.slow
COMMIT_POINTS = ("before_begin", "after_produce", "after_offsets", "after_commit")


def torment(scenario, rng, points, workers=1, **settings):
    """Under load, each worker dies once at each of the points."""
    faults = ",".join(f"{point}:{rng.randrange(1, 5)}" for point in points)
    service = scenario.launch_faulty(faults, workers=workers, **settings).wait_ready()
    with scenario.feeding(transactions(rng, 20_000), seconds=40) as feed:
        wait_until(lambda: service.words().count("worker died") == len(points) * workers, 60)
        feed.hurry()
    scenario.finish()


@pytest.mark.parametrize("order", [COMMIT_POINTS, COMMIT_POINTS[::-1]], ids=["forth", "back"])
def test_a_worker_killed_at_every_point_of_its_commits_changes_nothing(scenario, rng, order):
    torment(scenario, rng, order)


def test_the_same_without_the_hop_and_with_two_workers(scenario, rng):
    scenario.arguments = ["--partitioned-by-user"]
    torment(scenario, rng, COMMIT_POINTS[1:], workers=2)


def test_the_same_in_a_group_of_the_new_protocol(scenario, rng):
    torment(scenario, rng, COMMIT_POINTS[1:3], group_protocol="consumer")


def test_a_worker_killed_while_it_restores_changes_nothing(scenario, rng):
    scenario.send(transactions(rng, 2_000))
    before = scenario.launch()
    scenario.settle()
    assert before.stop() == 0  # with that, there certainly is something to restore
    service = scenario.launch_faulty("during_restore:1,after_offsets:3,during_restore:1")
    with scenario.feeding(transactions(rng, 4_000), seconds=10) as feed:
        wait_until(lambda: service.words().count("worker died") == 3, 60)
        feed.hurry()
    scenario.finish()


def test_an_open_transaction_of_a_service_that_never_comes_back_is_waited_for(scenario, rng):
    scenario.arguments = ["--partitioned-by-user"]
    # Longer than a service takes to start, and one request for offsets to give up.
    scenario.settings = {"session_timeout_ms": 6_000, "transaction_timeout_ms": 40_000}
    dead = scenario.launch_faulty("after_offsets:3", victim="service", instance="dead").wait_ready()
    with scenario.feeding(transactions(rng, 4_000), seconds=4):
        dead.wait()
        heir = scenario.launch(instance="heir")
    scenario.settle()
    assert "trying again" in heir.words()
    assert heir.stop() == 0
    scenario.check()
