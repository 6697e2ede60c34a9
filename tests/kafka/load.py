"""Transactions that keep coming while a test does its worst."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException, Producer

from tests.kafka.cluster import Sent

_FLUSH_SECONDS = 60
_TICK_SECONDS = 0.05


class Feed:
    """Sends records in order and evenly over some seconds, in a thread of its own."""

    def __init__(self, servers: str, topic: str, records: Sequence[Sent], seconds: float) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "message.max.bytes": 1_048_576,
                "log_level": 0,
            }
        )
        self._topic = topic
        self._records = records
        self._per_second = len(records) / seconds
        self._hurry = threading.Event()
        self._errors: list[KafkaError] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until every record is acknowledged; the first error is raised."""
        self._thread.join()
        if self._producer.flush(_FLUSH_SECONDS) or self._errors:
            raise KafkaException(self._errors[0] if self._errors else KafkaError._TIMED_OUT)

    def hurry(self) -> None:
        """Send what is left at once."""
        self._hurry.set()

    def _run(self) -> None:
        begin, sent = time.monotonic(), 0
        while sent < len(self._records):
            self._hurry.wait(_TICK_SECONDS)
            due = (time.monotonic() - begin) * self._per_second
            until = len(self._records) if self._hurry.is_set() else min(round(due), len(self._records))
            for record in self._records[sent:until]:
                self._send(record)
            sent = until
            self._producer.poll(0)

    def _send(self, sent: Sent) -> None:
        placed = {} if sent.partition < 0 else {"partition": sent.partition}
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    sent.value,
                    sent.key,
                    on_delivery=self._note,
                    timestamp=sent.timestamp_ms,
                    headers=list(sent.headers),
                    **placed,
                )
            except BufferError:
                # The brokers are away, or slower than the load.
                self._producer.poll(_TICK_SECONDS)
                continue
            return

    def _note(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._errors.append(error)


@contextmanager
def feeding(servers: str, topic: str, records: Sequence[Sent], seconds: float) -> Iterator[Feed]:
    """Under load: at the end everything has been sent."""
    feed = Feed(servers, topic, records, seconds)
    yield feed
    feed.finish()
