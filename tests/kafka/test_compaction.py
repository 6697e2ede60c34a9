"""A changelog that the broker has compacted restores the same totals."""

import pytest
from confluent_kafka import IsolationLevel

from tests.kafka.cluster import create_topic, end_offsets, read_topic, wait_until
from tests.kafka.model import totals_in, transactions
from tests.kafka.scenario import PARTITIONS

pytestmark = pytest.mark.slow
EAGER = {
    "cleanup.policy": "compact",
    "segment.ms": "500",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "500",
}


def test_totals_from_a_compacted_changelog_are_the_final_ones(scenario, rng):
    scenario.arguments = ["--partitioned-by-user"]
    create_topic(scenario.servers, scenario.changelog, PARTITIONS, EAGER)
    service = scenario.start()
    with scenario.feeding(transactions(rng, 10_000), seconds=4):
        pass
    scenario.settle()
    left = wait_until(lambda: what_is_left_of(scenario.servers, scenario.changelog))
    assert totals_in(left) == scenario.expected.totals
    assert service.stop() == 0
    service.start()
    scenario.send(transactions(rng, 3_000))
    scenario.finish()


def what_is_left_of(servers, changelog):
    """What it still holds, once that is less than half of what was written."""
    left = read_topic(servers, changelog)
    written = sum(end_offsets(servers, changelog, IsolationLevel.READ_UNCOMMITTED).values())
    return left if len(left) < written / 2 else None
