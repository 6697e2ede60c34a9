"""What a demo does with a cluster: feeds one topic and reads others from their start."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

from wallaroo.demo.embedded import FETCH_WAIT_MS
from wallaroo.errors import KafkaSetupError

_REQUEST_SECONDS = 10.0
_MOST_AT_ONCE = 5_000
# The demo reports errors itself.
_QUIET = {"log_level": 0, "error_cb": lambda _error: None}


class Arrival(NamedTuple):
    """A record that was read."""

    topic: str
    value: bytes


class Feed:
    """Writes to one topic, to the partition of each key."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "delivery.report.only.error": True,
                "on_delivery": self._fail,
                **_QUIET,
            }
        )

    def send(self, key: bytes, value: bytes) -> None:
        """Queue a record; KafkaSetupError if an earlier one could not be delivered."""
        self._producer.produce(self._topic, value, key)
        self._producer.poll(0)

    def finish(self) -> None:
        """Wait until everything is delivered; KafkaSetupError if that fails."""
        self._producer.flush(_REQUEST_SECONDS)

    def _fail(self, error: KafkaError, _message: Message) -> None:
        # An error that a callback raises comes out of the call that polls.
        raise KafkaSetupError(f"a record could not be written to {self._topic}: {error.str()}")


class Tail:
    """Reads topics from their start, outside of any group."""

    def __init__(self, bootstrap_servers: str, topics: Iterable[str]) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "wallaroo-demo-reader",
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 5,
                "fetch.wait.max.ms": FETCH_WAIT_MS,
                "allow.auto.create.topics": True,
                **_QUIET,
            }
        )
        self._next = {
            (topic, number): 0
            for topic in topics
            for number in self._consumer.list_topics(topic, _REQUEST_SECONDS).topics[topic].partitions
        }
        self._consumer.assign([TopicPartition(*at, OFFSET_BEGINNING) for at in self._next])

    def read(self, timeout_seconds: float) -> list[Arrival]:
        """The records that have arrived; waits up to the timeout for the first."""
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            return []
        messages: list[Any] = [first, *self._consumer.consume(_MOST_AT_ONCE, 0)]
        good = [message for message in messages if message.error() is None]
        self._next.update({(m.topic(), m.partition()): m.offset() + 1 for m in good})
        return [Arrival(message.topic(), message.value() or b"") for message in good]

    @property
    def at_end(self) -> bool:
        """Whether everything that is there now has been read."""
        return all(
            position >= self._consumer.get_watermark_offsets(TopicPartition(*at), _REQUEST_SECONDS)[1]
            for at, position in self._next.items()
        )

    def close(self) -> None:
        self._consumer.close()
