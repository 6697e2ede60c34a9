"""Ends of transactions that Kafka loses, and how a service that runs writes them.

KAFKA-20734, seen in 4.3.1 (docs/decisions/0029): a broker that is restarted may skip the end of a transaction
in some partitions, and calls it complete. Readers of committed records then stop there until the same
producer's next transaction with that partition ends. Only what a broker has logged as skipped is forgiven.
"""

import random
import re

from confluent_kafka import IsolationLevel

from scripts.kafka.broker import KafkaBroker
from tests.kafka.cluster import end_offsets, wait_until
from tests.kafka.model import transactions
from tests.kafka.scenario import Scenario

_SKIPPED = re.compile(r"Couldn't find leader endpoint for partitions Set\(([^)]*)\).*can be skipped")
_WAVE = 400
_SECONDS = 120

Place = tuple[str, int]


def skipped(broker: KafkaBroker) -> set[Place]:
    """The partitions of which the broker's log says that ends of transactions were not written there."""
    text = (broker.folder / "logs" / "broker.log").read_text(errors="replace")
    names = {name for found in _SKIPPED.findall(text) for name in found.split(", ")}
    return {(name.rpartition("-")[0], int(name.rpartition("-")[2])) for name in names}


def feed_until_ended(scenario: Scenario, broker: KafkaBroker, rng: random.Random) -> None:
    """Let the service go on with more records, until its commits have ended what the broker has skipped."""

    def feed() -> bool:
        still_open = skipped(broker) & _open(scenario)
        if still_open:
            print(f"KAFKA-20734: the ends of transactions were skipped in {sorted(still_open)}")
            scenario.send(transactions(rng, _WAVE))
        return not still_open

    wait_until(feed, _SECONDS)


def _open(scenario: Scenario) -> set[Place]:
    """Where a transaction is open: between two commits, it is one without an end."""
    found = set()
    for topic in (scenario.out_topic, scenario.dead_letters, scenario.changelog, scenario.repartition):
        ends = end_offsets(scenario.servers, topic, IsolationLevel.READ_UNCOMMITTED)
        stable = end_offsets(scenario.servers, topic, IsolationLevel.READ_COMMITTED)
        found |= {(topic, number) for number, end in ends.items() if stable[number] < end}
    return found
