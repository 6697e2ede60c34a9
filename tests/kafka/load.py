"""Transactions that keep coming while a test does its worst."""

import threading
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
        self._chunk = max(1, round(len(records) * _TICK_SECONDS / seconds))
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
        for begin in range(0, len(self._records), self._chunk):
            for sent in self._records[begin : begin + self._chunk]:
                placed = {} if sent.partition < 0 else {"partition": sent.partition}
                self._producer.produce(
                    self._topic,
                    sent.value,
                    sent.key,
                    on_delivery=self._note,
                    timestamp=sent.timestamp_ms,
                    headers=list(sent.headers),
                    **placed,
                )
            self._producer.poll(0)
            self._hurry.wait(_TICK_SECONDS)

    def _note(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._errors.append(error)


@contextmanager
def feeding(servers: str, topic: str, records: Sequence[Sent], seconds: float) -> Iterator[Feed]:
    """Under load: at the end everything has been sent."""
    feed = Feed(servers, topic, records, seconds)
    yield feed
    feed.finish()
