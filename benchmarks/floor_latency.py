"""The bare loop where input is scarce: a transaction of what is there, at once; says `ready`, until ended.

It waits as little as the service does: with the client's defaults a transaction that begins right behind
another one waits 100 ms.
"""

import sys
from typing import Any

from benchmarks.floor import KINDS, LIST, clients, commit


def main(bootstrap_servers: str) -> None:
    consumer, producer = clients(
        bootstrap_servers,
        reads={"auto.offset.reset": "latest", "fetch.wait.max.ms": 10},
        **{"linger.ms": 1, "retry.backoff.ms": 2},
    )
    work = KINDS["bare"]()
    while not consumer.assignment():
        consumer.poll(0.1)
    print("ready", flush=True)
    while True:
        if work.take(_whatever_is_there(consumer)):
            commit(consumer, producer, work, alerts="alerts")


def _whatever_is_there(consumer: Any) -> list[Any]:
    first = consumer.poll(0.1)
    return [] if first is None else [first, *consumer.consume(LIST, 0)]


if __name__ == "__main__":
    main(sys.argv[1])
