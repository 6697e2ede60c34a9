"""From produce to a committed alert, at 200 records a second; every record raises one."""

import json
import threading
import time
import uuid
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

RATE = 200
# Half a minute, in which the broker compiles what transactions need.
WARM_UP = 6_000
AMOUNT = 3_000


def measure(bootstrap_servers: str, count: int) -> dict[str, float]:
    """Latencies in milliseconds; a service must be running and ready."""
    alerts = _alerts(bootstrap_servers)
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    reader = threading.Thread(target=_read, args=(alerts, sent, seen, WARM_UP + count))
    reader.start()
    _send(bootstrap_servers, sent, WARM_UP + count)
    reader.join()
    users = list(sent)[WARM_UP:]
    times = sorted((seen[user] - sent[user]) * 1000 for user in users if user in seen)
    if len(times) < count:
        raise RuntimeError(f"only {len(times)} of {count} alerts came")
    return {f"p{share * 100:g}_ms": round(times[int(len(times) * share)], 1) for share in (0.5, 0.95, 0.99)}


def _alerts(bootstrap_servers: str) -> Any:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "latency",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    partitions = consumer.list_topics("alerts", 10).topics["alerts"].partitions
    consumer.assign([TopicPartition("alerts", number, OFFSET_END) for number in partitions])
    consumer.poll(1)
    return consumer


def _read(consumer: Any, sent: dict[str, float], seen: dict[str, float], count: int) -> None:
    deadline = time.perf_counter() + count / RATE + 30
    while len(seen) < count and time.perf_counter() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            user = json.loads(message.value())["user"]
            if user in sent:
                seen[user] = time.perf_counter()
    consumer.close()


def _send(bootstrap_servers: str, sent: dict[str, float], count: int) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "linger.ms": 0, "partitioner": "murmur2_random"}
    )
    run, began = uuid.uuid4().hex[:8], time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        user = f"{run}-{number}"
        sent[user] = time.perf_counter()
        producer.produce("transactions", json.dumps({"user": user, "amount": AMOUNT}), user)
        producer.poll(0)
    producer.flush()
