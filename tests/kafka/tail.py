"""Tail: follows a topic as its readers see it, keeping every message."""

import uuid
from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import TIMEOUT_SECONDS


class Tail:
    """Reads a topic from its beginning, only what is committed, across restarts of the broker."""

    def __init__(self, servers: str, topic: str) -> None:
        self.topic = topic
        self.messages: list[Message] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"tail-{uuid.uuid4()}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        found = AdminClient({"bootstrap.servers": servers}).list_topics(topic, TIMEOUT_SECONDS)
        partitions = found.topics[topic].partitions
        assert partitions, f"there is no topic {topic}"
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])

    def read(self) -> Sequence[Message]:
        """All messages until now."""
        while polled := self._consumer.consume(10_000, 0.05):
            for message in polled:
                error = message.error()
                if error is None:
                    self.messages.append(message)
                elif error.code() not in _PASSING:
                    raise KafkaException(error)
        return self.messages

    def close(self) -> None:
        self._consumer.close()


_PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}
