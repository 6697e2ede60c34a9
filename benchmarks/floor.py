"""The bare loop: the least that this job can cost with the same client, decoder and guarantee.

No dead letters, metrics, rebalances, restores or rollbacks: about what a person would write in an afternoon.
There are three. `bare` has the application inline, keeps numbers and decodes with msgspec; `validated` is the
same with a pydantic model. `with_functions` calls the application's own functions, with its decoder, key
extractor and encoder, and a state object for each key: no engine that has this API can do with less.
"""

import gc
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from pydantic import BaseModel, ConfigDict, FiniteFloat

import wallaroo
from schemas.transaction import Transaction
from topologies.alerts_stateful import TransactionTotal, check_transaction_total, encode_json, extract_user

LIST = 1_000
COMMIT_SECONDS = 0.1
LIMIT = 2_000


class Validated(BaseModel):
    """A transaction as pydantic reads it."""

    model_config = ConfigDict(strict=True, cache_strings="keys")

    user: str
    amount: FiniteFloat | int


Decode = Callable[[bytes], Any]

_with_msgspec: Decode = msgspec.json.Decoder(Transaction).decode
_with_pydantic: Decode = Validated.__pydantic_validator__.validate_json
_as_the_application: Decode = wallaroo.json_decoder(Transaction).decode


def main(bootstrap_servers: str, count: int, kind: str = "bare") -> dict[str, Any]:
    """Process `count` transactions; returns what it cost."""
    gc.set_threshold(50_000, 20, 20)
    consumer, producer = clients(bootstrap_servers, reads={"auto.offset.reset": "earliest"})
    return _run(consumer, producer, count, KINDS[kind]())


def clients(bootstrap_servers: str, reads: Mapping[str, Any], **writes: Any) -> tuple[Any, Any]:
    """A consumer of the transactions and a transactional producer."""
    common = {"bootstrap.servers": bootstrap_servers}
    consumer = Consumer(
        {
            **common,
            "group.id": f"floor-{time.time_ns()}",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.queue.backoff.ms": 5,
            **reads,
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
            **writes,
        }
    )
    producer.init_transactions()
    consumer.subscribe(["transactions"])
    return consumer, producer


class Work(ABC):
    """What is done with records; `alerts` are (value, key), `changes` (value, key, partition)."""

    def __init__(self) -> None:
        self.alerts: list[tuple[bytes, Any]] = []
        self._dirty: dict[bytes, Any] = {}

    @abstractmethod
    def take(self, messages: Iterable[Any]) -> int: ...

    @abstractmethod
    def changes(self) -> Iterable[tuple[bytes, bytes, int]]: ...

    def clear(self) -> None:
        self.alerts.clear()
        self._dirty.clear()


class Bare(Work):
    """The application inline: a number for each key, and the partition of those that are dirty."""

    def __init__(self, decode: Decode) -> None:
        super().__init__()
        self._decode = decode
        self._totals: dict[bytes, float] = {}

    def take(self, messages: Iterable[Any]) -> int:
        totals, dirty, alerts, decode = self._totals, self._dirty, self.alerts, self._decode
        done = 0
        for message in messages:
            if message.error() is not None:
                continue
            transaction = decode(message.value())
            key = message.key()
            total = totals[key] = totals.get(key, 0) + transaction.amount
            dirty[key] = message.partition()
            if total > LIMIT or total < -LIMIT:
                alerts.append((b'{"kind":"deposit","user":"%s","total":%r}' % (key, total), key))
            done += 1
        return done

    def changes(self) -> Iterable[tuple[bytes, bytes, int]]:
        totals = self._totals
        return ((b'{"total":%r}' % totals[key], key, partition) for key, partition in self._dirty.items())


class WithFunctions(Work):
    """The application's own functions: an object for each key, with its partition where it is dirty."""

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[bytes, TransactionTotal] = {}

    def take(self, messages: Iterable[Any]) -> int:
        live, dirty, alerts = self._live, self._dirty, self.alerts
        extract, compute, encode = extract_user.func, check_transaction_total.func, encode_json.func
        find = dirty.get
        done = 0
        good = [message for message in messages if message.error() is None]
        decode = _as_the_application
        transactions = [decode(message.value()) for message in good]
        for transaction, message in zip(transactions, good, strict=True):
            key = message.key()
            if extract(transaction).encode() != key:
                raise ValueError(f"not keyed by its user: {key!r}")
            found = find(key)
            if found is None:
                state = live.get(key)
                if state is None:
                    state = live[key] = TransactionTotal()
                dirty[key] = state, message.partition()
            else:
                state = found[0]
            alert = compute(transaction, state)
            if alert is not None:
                alerts.append(encode(alert))
            done += 1
        return done

    def changes(self) -> Iterable[tuple[bytes, bytes, int]]:
        encode = msgspec.json.Encoder().encode
        return (
            (encode({"total": state.total}), key, partition)
            for key, (state, partition) in self._dirty.items()
        )


KINDS: dict[str, Callable[[], Work]] = {
    "bare": partial(Bare, _with_msgspec),
    "validated": partial(Bare, _with_pydantic),
    "with_functions": WithFunctions,
}


def _run(consumer: Any, producer: Any, count: int, work: Work) -> dict[str, Any]:
    done = pending = 0
    first: tuple[float, float, int] | None = None
    began = time.perf_counter()
    while done < count:
        taken = work.take(consumer.consume(LIST, 0.1))
        done, pending = done + taken, pending + taken
        if pending and (done >= count or time.perf_counter() - began >= COMMIT_SECONDS):
            commit(consumer, producer, work)
            pending = 0
            began = time.perf_counter()
            first = first or (began, time.process_time(), done)
    assert first is not None
    records = done - first[2]
    wall, cpu = time.perf_counter() - first[0], time.process_time() - first[1]
    return {"records_per_second": round(records / wall), "cpu_us_per_record": round(cpu / records * 1e6, 3)}


def commit(consumer: Any, producer: Any, work: Work, alerts: str = "floor-alerts") -> None:
    """One transaction of all that was made of what has been read."""
    produce = producer.produce
    producer.begin_transaction()
    for value, key in work.alerts:
        produce(alerts, value, key)
    for value, key, partition in work.changes():
        produce("floor-changelog", value, key, partition)
    work.clear()
    positions = [tp for tp in consumer.position(consumer.assignment()) if tp.offset >= 0]
    producer.send_offsets_to_transaction(
        [TopicPartition(tp.topic, tp.partition, tp.offset) for tp in positions],
        consumer.consumer_group_metadata(),
    )
    producer.commit_transaction()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
