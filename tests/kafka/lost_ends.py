"""Ends of transactions that Kafka loses, and how a service that runs writes them.

KAFKA-20734, seen in 4.3.1 (docs/decisions/0029): a broker that is restarted may skip the end of a transaction
in some partitions, and calls it complete. Readers of committed records then stop there until the same
producer's next transaction with that partition ends. Only what a broker has logged as skipped is forgiven.
"""

import re
from collections.abc import Callable

from confluent_kafka import IsolationLevel

from tests.kafka.cluster import end_offsets, wait_until

_SKIPPED = re.compile(r"Couldn't find leader endpoint for partitions Set\(([^)]*)\).*can be skipped")
_SECONDS = 120

Place = tuple[str, int]


def skipped(log: str) -> set[Place]:
    """The partitions of which a broker's log says that ends of transactions were not written there."""
    names = {name for found in _SKIPPED.findall(log) for name in found.split(", ")}
    return {(name.rpartition("-")[0], int(name.rpartition("-")[2])) for name in names}


def feed_until_ended(servers: str, read_log: Callable[[], str], send_more: Callable[[], None]) -> None:
    """Let the service go on with more records, until its commits have ended what the broker has skipped."""

    def feed() -> bool:
        still_open = _open(servers, skipped(read_log()))
        if still_open:
            print(f"KAFKA-20734: the ends of transactions were skipped in {sorted(still_open)}")
            send_more()
        return not still_open

    wait_until(feed, _SECONDS)


def _open(servers: str, places: set[Place]) -> set[Place]:
    """In which of them a transaction is open: between two commits, it is one without an end."""
    found = set()
    # What is missing in the offsets of a group is written by a worker that starts.
    for topic in {topic for topic, _ in places if not topic.startswith("__")}:
        ends = end_offsets(servers, topic, IsolationLevel.READ_UNCOMMITTED)
        stable = end_offsets(servers, topic, IsolationLevel.READ_COMMITTED)
        found |= {(topic, number) for number, end in ends.items() if stable[number] < end}
    return found & places
