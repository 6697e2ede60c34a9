"""Writes random transactions to the topic `transactions`, evenly, until it is stopped."""

import argparse
import json
import random
import signal
import sys
import time
from collections.abc import Iterator

from confluent_kafka import KafkaError, Producer

USERS = ("Ada", "Blaise", "Grace", "Hedy", "Ken", "Linus", "Margaret", "Niklaus", "Radia", "Zoë")
TICK_SECONDS = 0.1


def main() -> None:
    options = parse_options()
    # Process 1 of a container gets no default handler.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit())
    producer = Producer({"bootstrap.servers": options.bootstrap_servers, "enable.idempotence": True})
    wait_for_topic(producer, options.topic)
    print(f"writing {options.rate} transactions a second to {options.topic}", flush=True)
    try:
        for user, amount in transactions(random.Random()):  # noqa: S311 - traffic for show
            value = json.dumps({"user": user, "amount": amount})
            producer.produce(options.topic, value, user, on_delivery=raise_failure)
            producer.poll(0)
            time.sleep(1 / options.rate)
    finally:
        producer.flush(5)


def transactions(rng: random.Random) -> Iterator[tuple[str, int]]:
    """Users and amounts without end; now and then a total wanders beyond 2000, and comes back."""
    totals = dict.fromkeys(USERS, 0)
    while True:
        user = rng.choice(USERS)
        amount = rng.randint(-500, 500) - totals[user] // 20
        totals[user] += amount
        yield user, amount


def wait_for_topic(producer: Producer, topic: str) -> None:
    """The service creates it."""
    while producer.list_topics(topic, timeout=30).topics[topic].error is not None:
        time.sleep(TICK_SECONDS)


def raise_failure(error: KafkaError | None, _message: object) -> None:
    if error is not None:
        raise RuntimeError(f"a transaction could not be written: {error.str()}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.producer", description=__doc__)
    parser.add_argument("--bootstrap-servers", default="localhost:9092")
    parser.add_argument("--topic", default="transactions")
    parser.add_argument("--rate", type=float, default=50, help="transactions a second (50)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
