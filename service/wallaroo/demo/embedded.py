"""The embedded broker: librdkafka's mock cluster, in a process of its own.

Rules for whoever edits this file:
1. It is for a demo and for tests of the client's behaviour: it keeps nothing on disk, drops the oldest
   records of a partition beyond 100,000 or 5 MiB, and its transactions are not atomic.
2. It ends with its parent, however that ends: it waits at a pipe whose other end only the parent has.
3. It ends by `os._exit`: a mock cluster may fail an assertion when it is torn down.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.errors import KafkaSetupError

# What a partition keeps.
MOST_RECORDS = 100_000
# A fetch that finds nothing is answered only after this time, even if records arrive meanwhile.
FETCH_WAIT_MS = 20

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0

_processes = multiprocessing.get_context("spawn")


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Run the broker; gives its address, `host:port`. Raises KafkaSetupError if it does not start."""
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_serve, args=(theirs,), name="wallaroo-embedded-broker", daemon=True)
    with interrupts_blocked():
        process.start()
    theirs.close()
    try:
        yield _address(ours)
    finally:
        ours.close()
        process.join(_STOP_SECONDS)
        process.kill()


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Start processes in this block, in the main thread, to keep Ctrl-C from them.

    A terminal sends it to every process, but the parent is to handle it and end the others. One that arrives
    during the block is delivered at its end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _address(connection: Connection) -> str:
    try:
        if connection.poll(_START_SECONDS):
            return str(connection.recv())
    except EOFError:
        pass
    raise KafkaSetupError(
        f"the embedded broker did not start within {_START_SECONDS:.0f} seconds; try again, or use a real "
        "Kafka: make kafka"
    )


def _serve(connection: Connection) -> None:
    try:
        cluster = AdminClient({"test.mock.num.brokers": 1, "log_level": 3})
        brokers = cluster.list_topics(timeout=_START_SECONDS).brokers.values()
        connection.send(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
        connection.poll(None)
    except (KafkaException, OSError):
        pass
    os._exit(0)
