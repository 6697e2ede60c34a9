"""The producer of a topic of another cluster: opened when needed, parted from with all that it holds."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from wallaroo.connectors.in_order import Handed
from wallaroo.connectors.outbox import Token
from wallaroo.record import ANY_PARTITION, CHOSEN_PARTITION

# No longer than a rebalance can wait.
_ANSWER_SECONDS = 0.5
_REPORTS_SECONDS = 0.02

# A producer; the argument asks for one that sends each record by itself.
OpenProducer = Callable[[bool], Producer]
Sent = Handed[Message, Token]
# Without a record it is about all of them.
Failure = tuple[Sent | None, KafkaError]


class RemoteLink:
    """At most one producer at a time, and what has failed of what it was given."""

    def __init__(self, topic: str, open_producer: OpenProducer) -> None:
        self._topic = topic
        self._open_producer = open_producer
        self._producer: Producer | None = None
        self._one_by_one = False
        self._failures: list[Failure] = []

    def ask(self) -> KafkaError | None:
        """Why the topic cannot be written to now; the client goes on connecting by itself meanwhile."""
        producer = self._opened
        try:
            metadata = producer.list_topics(self._topic, _ANSWER_SECONDS)
        except KafkaException as error:
            found: KafkaError | None = error.args[0]
        else:
            found = metadata.topics[self._topic].error
        return found

    def produce(self, sent: Sent) -> bool:
        """Give it a record, that of an outbox; False where its queue is full."""
        record = sent.record
        try:
            self._opened.produce(
                self._topic,
                record.value(),
                record.key(),
                _chosen(record),
                on_delivery=lambda error, _message: self._heard(sent, error),
                timestamp=record.timestamp()[1],
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._failures.append((sent, error.args[0]))
        return True

    def hear(self, timeout_seconds: float) -> list[Failure]:
        """Wait for a report at most this long; records become taken meanwhile, and these have failed."""
        try:
            self._opened.poll(timeout_seconds)
        except KafkaException as error:
            # Fatal for all of them; which record was the first, its own report says.
            self._failures.append((None, error.args[0]))
            self._opened.poll(_REPORTS_SECONDS)
        failures, self._failures = self._failures, []
        return failures

    def part(self, *, one_by_one: bool) -> None:
        """Let go of the producer and all that it holds; what has just been taken still counts.

        `one_by_one` is for the next one.
        """
        if self._producer is not None:
            self._producer.purge()
            self.hear(0)
        self._producer = None
        self._one_by_one = one_by_one

    @property
    def _opened(self) -> Producer:
        if self._producer is None:
            self._producer = self._open_producer(self._one_by_one)
        return self._producer

    def _heard(self, sent: Sent, error: KafkaError | None) -> None:
        if error is None:
            sent.taken = True
        else:
            self._failures.append((sent, error))


def _chosen(record: Message) -> int:
    headers: Any = record.headers() or ()
    return next((int(value) for name, value in headers if name == CHOSEN_PARTITION), ANY_PARTITION)
