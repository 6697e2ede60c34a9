"""What a task does with a record, split: decode, user code, and the rest (steps, keys, state, outputs).

In one process over records read before, so that no clock runs per record; the best of some rounds. Beside it
the same calls in a bare loop: what the user's own functions cost when nothing is between them.
"""

import gc
import itertools
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from confluent_kafka import Consumer, TopicPartition

import wallaroo
from benchmarks.transactions import PARTITIONS, TOPIC
from schemas.transaction import Transaction
from topologies.alerts_stateful import TransactionTotal, check_transaction_total, extract_user
from wallaroo.record import Partition
from wallaroo.service.application import Loaded, load
from wallaroo.task.context import ApplicationContext, new_stores
from wallaroo.task.dead_letters import OnError
from wallaroo.task.task import Task

COUNT = 300_000
LIST = 1_000
COMMIT_EVERY = 60_000
ROUNDS = 4
APPLICATION = "topologies.alerts_stateful"

Slices = list[tuple[int, list[Any]]]


def main(bootstrap_servers: str) -> dict[str, float]:
    """CPU microseconds a record."""
    gc.set_threshold(50_000, 20, 20)
    slices = _read(bootstrap_servers)
    loaded = load(APPLICATION, (APPLICATION, "--partitioned-by-user"), "split")
    decode = wallaroo.json_decoder(Transaction).decode
    decoding = _best(lambda: _decode(slices, decode))
    values = [decode(record.value()) for _, records in slices for record in records]
    user_code = _best(partial(_user_code, values))
    whole = _best(lambda: _task(slices, loaded))
    return {
        "decode": decoding,
        "user_code": user_code,
        "steps_keys_state_outputs": round(whole - decoding - user_code, 3),
    }


def _read(bootstrap_servers: str) -> Slices:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "split"})
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    slices: Slices = []
    while sum(len(records) for _, records in slices) < COUNT:
        good = [message for message in consumer.consume(LIST, 1.0) if message.error() is None]
        slices += [(n, list(run)) for n, run in itertools.groupby(good, lambda message: message.partition())]
    consumer.close()
    return slices


def _best(work: Callable[[], int]) -> float:
    def once() -> float:
        before = time.thread_time()
        done = work()
        return (time.thread_time() - before) / done * 1e6

    return round(min(once() for _ in range(ROUNDS)), 3)


def _decode(slices: Slices, decode: Callable[[bytes], Any]) -> int:
    for _, records in slices:
        _ = [decode(record.value()) for record in records]
    return sum(len(records) for _, records in slices)


def _user_code(values: list[Any]) -> int:
    """The application's functions on one state: no more than the calls themselves."""
    state = TransactionTotal()
    extract, compute = extract_user.func, check_transaction_total.func
    for value in values:
        extract(value)
        compute(value, state)
        state.total = 0
    return len(values)


def _task(slices: Slices, loaded: Loaded) -> int:
    [sub] = loaded.topology.sub_topologies
    application_context = ApplicationContext(
        loaded.codecs.values, {"alerts": PARTITIONS}, loaded.topology.dead_letters, OnError.DEAD_LETTER
    )
    tasks = [
        Task(sub, Partition(TOPIC, n), 0, new_stores(sub, loaded.codecs.state), application_context)
        for n in range(PARTITIONS)
    ]
    done = committed = 0
    for number, records in slices:
        tasks[number].process(records)
        done += len(records)
        if done - committed >= COMMIT_EVERY:
            committed = done
            for task in tasks:
                batch = task.collect()
                if batch is not None:
                    task.committed(batch)
    return done


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
