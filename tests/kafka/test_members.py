"""Services that join and leave the group under load change nothing."""

import pytest

from tests.kafka.cluster import wait_until
from tests.kafka.model import transactions
from tests.kafka.scenario import PARTITIONS

pytestmark = pytest.mark.slow
CLASSIC = {"group_protocol": "classic", "session_timeout_ms": 6_000}
NEW = {"group_protocol": "consumer"}
HOP, NO_HOP = (), ("--partitioned-by-user",)


def owned(service):
    return service.metric("wallaroo_assigned_partitions")


@pytest.mark.parametrize(
    ("settings", "arguments", "groups"),
    [(CLASSIC, HOP, 2), (NEW, NO_HOP, 1)],
    ids=["classic", "new protocol"],
)
def test_services_that_come_and_go_change_nothing(scenario, rng, settings, arguments, groups):
    scenario.settings, scenario.arguments = settings, arguments
    everything = PARTITIONS * groups
    first = scenario.start()
    with scenario.feeding(transactions(rng, 20_000), seconds=40) as feed:
        second = scenario.start()
        wait_until(lambda: owned(first) < everything and owned(first) + owned(second) == everything)
        assert second.stop() == 0
        wait_until(lambda: owned(first) == everything)
        third = scenario.start(workers=2)
        wait_until(lambda: owned(first) < everything and owned(first) + owned(third) == everything)
        third.kill_all()
        wait_until(lambda: owned(first) == everything)
        feed.hurry()
    scenario.finish()


def test_a_service_with_more_workers_than_partitions_works(scenario, rng):
    service = scenario.start(workers=PARTITIONS + 1)
    scenario.send(transactions(rng, 3_000))
    scenario.settle()
    assert service.status("/readyz") == 200
    scenario.finish()
