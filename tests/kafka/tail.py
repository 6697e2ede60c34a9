"""Tail: follows a topic as its readers see it, keeping every message."""

import time
import uuid
from collections.abc import Sequence

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from tests.kafka.cluster import TIMEOUT_SECONDS, end_offsets, wait_until

_READ_SECONDS = 120
_PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}


class Tail:
    """Reads a topic from its beginning, only what is committed, across restarts of the broker."""

    def __init__(self, servers: str, topic: str) -> None:
        self.messages: list[Message] = []
        self._servers = servers
        self._topic = topic
        self._reached: dict[int, int] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"tail-{uuid.uuid4()}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        numbers = end_offsets(servers, topic, IsolationLevel.READ_UNCOMMITTED)
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])

    def read(self) -> Sequence[Message]:
        """All messages until now; TimeoutError where there is no end of them."""
        deadline = time.monotonic() + _READ_SECONDS
        while polled := self._consumer.consume(10_000, 0.02):
            for message in polled:
                self._take(message)
            if time.monotonic() > deadline:
                last = [(m.partition(), m.offset(), m.error() and m.error().name()) for m in polled[-9:]]
                raise TimeoutError(f"{self._topic} has no end: {len(self.messages)} messages, at last {last}")
        return self.messages

    def poll(self) -> int:
        """Take what comes within a moment; returns how many messages there are."""
        for message in self._consumer.consume(10_000, 0.05):
            self._take(message)
        return len(self.messages)

    def read_to_end(self) -> Sequence[Message]:
        """All messages below the end that the topic has now, an open transaction waited for."""
        ends = end_offsets(self._servers, self._topic, IsolationLevel.READ_UNCOMMITTED)
        wait_until(lambda: self.read() is not None and self._is_at(ends), TIMEOUT_SECONDS)
        return self.messages

    def close(self) -> None:
        self._consumer.close()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self.messages.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._reached[message.partition()] = message.offset()
        elif error.code() not in _PASSING:
            raise KafkaException(error)

    def _is_at(self, ends: dict[int, int]) -> bool:
        return all(self._reached.get(number, -1) >= end for number, end in ends.items())
