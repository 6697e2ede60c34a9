"""The input of every benchmark: seeded transactions, users by Zipf's law, about 70 bytes each."""

import itertools
import random
from bisect import bisect
from collections.abc import Iterator

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "transactions"
PARTITIONS = 4
USERS = 100_000
SEED = 20260101

# A total this far out is pulled back by the next amounts, so that about one record in eight raises an alert.
_PULL = 2_000


def transactions(count: int, users: int = USERS, seed: int = SEED) -> Iterator[tuple[str, bytes]]:
    """Pairs of user and JSON."""
    chance = random.Random(seed)
    shares = list(itertools.accumulate(1 / (rank + 1) for rank in range(users)))
    totals = [0.0] * users
    for number in range(count):
        rank = bisect(shares, chance.random() * shares[-1])
        amount = round(chance.uniform(-500, 500), 2)
        if abs(totals[rank]) > _PULL:
            amount = -abs(amount) if totals[rank] > 0 else abs(amount)
        totals[rank] += amount
        user = f"user-{rank:06d}"
        yield user, b'{"id":%d,"user":"%s","amount":%.2f,"currency":"EUR"}' % (number, user.encode(), amount)


def fill(bootstrap_servers: str, count: int) -> None:
    """Write the transactions to a new topic, keyed by user as a Java producer would."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    topics = [NewTopic(TOPIC, PARTITIONS), NewTopic("floor-alerts", PARTITIONS)]
    topics.append(NewTopic("floor-changelog", PARTITIONS, config={"cleanup.policy": "compact"}))
    for created in admin.create_topics(topics).values():
        created.result()
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for user, value in transactions(count):
        while True:
            try:
                producer.produce(TOPIC, value, user)
            except BufferError:
                producer.poll(0.05)
            else:
                break
    producer.flush()
