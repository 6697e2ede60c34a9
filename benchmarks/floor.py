"""The bare loop: the least that this job can cost with the same client, decoder and guarantee.

No dead letters, metrics, rebalances, restores or rollbacks: about what a person would write in an afternoon.
"""

import gc
import json
import sys
import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from pydantic import TypeAdapter

from schemas.transaction import Transaction

LIST = 1_000
COMMIT_SECONDS = 0.1
LIMIT = 2_000


def main(bootstrap_servers: str, count: int) -> dict[str, Any]:
    """Process `count` transactions; returns what it cost."""
    gc.set_threshold(50_000, 20, 20)
    common = {"bootstrap.servers": bootstrap_servers}
    consumer = Consumer(
        {
            **common,
            "group.id": f"floor-{time.time_ns()}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.queue.backoff.ms": 5,
        }
    )
    producer = Producer(
        {
            **common,
            "transactional.id": f"floor-{time.time_ns()}",
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
        }
    )
    producer.init_transactions()
    consumer.subscribe(["transactions"])
    return _run(consumer, producer, count)


def _run(consumer: Any, producer: Any, count: int) -> dict[str, Any]:
    decode = TypeAdapter(Transaction).validator.validate_json
    totals: dict[bytes, float] = {}
    dirty: dict[bytes, int] = {}
    alerts: list[tuple[bytes, bytes]] = []
    done = 0
    first: tuple[float, float, int] | None = None
    began = time.perf_counter()
    while done < count:
        for message in consumer.consume(LIST, 0.1):
            if message.error() is not None:
                continue
            transaction = decode(message.value())
            key = message.key()
            total = totals[key] = totals.get(key, 0) + transaction["amount"]
            dirty[key] = message.partition()
            if total > LIMIT or total < -LIMIT:
                alerts.append((b'{"kind":"deposit","user":"%s","total":%r}' % (key, total), key))
            done += 1
        if dirty and (done >= count or time.perf_counter() - began >= COMMIT_SECONDS):
            _commit(consumer, producer, totals, dirty, alerts)
            began = time.perf_counter()
            first = first or (began, time.process_time(), done)
    assert first is not None
    records = done - first[2]
    wall, cpu = time.perf_counter() - first[0], time.process_time() - first[1]
    return {"records_per_second": round(records / wall), "cpu_us_per_record": round(cpu / records * 1e6, 3)}


def _commit(consumer: Any, producer: Any, totals: Any, dirty: Any, alerts: Any) -> None:
    produce = producer.produce
    producer.begin_transaction()
    for value, key in alerts:
        produce("floor-alerts", value, key)
    for key, partition in dirty.items():
        produce("floor-changelog", b'{"total":%r}' % totals[key], key, partition)
    alerts.clear()
    dirty.clear()
    positions = [tp for tp in consumer.position(consumer.assignment()) if tp.offset >= 0]
    producer.send_offsets_to_transaction(
        [TopicPartition(tp.topic, tp.partition, tp.offset) for tp in positions],
        consumer.consumer_group_metadata(),
    )
    producer.commit_transaction()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
