"""The producers of a remote sink: for its topic in the other cluster, and for dead letters in this one."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from wallaroo.connectors.resend import Entry
from wallaroo.engine.failure_log import FailureLog
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.engine.refusals import OF_A_RECORD
from wallaroo.errors import CommitError, KafkaSetupError, RecordError
from wallaroo.kafka.clients import admin_client, ingest_producer, largest_record
from wallaroo.kafka.topic_config import topic_properties
from wallaroo.record import ANY_PARTITION, CHOSEN_PARTITION, Output, Partition
from wallaroo.settings import Settings
from wallaroo.task.dead_letters import FailureHandler, OnError
from wallaroo.task.limits import RecordLimits, limits_of
from wallaroo.topology.model import Delivery

# No longer than a rebalance can wait.
_ANSWER_SECONDS = 0.5
_REPORTS_SECONDS = 0.02
_WRITE_SECONDS = 10.0

# Opens a producer; the argument asks for one that sends each record by itself.
OpenProducer = Callable[[bool], Producer]
RemoteEntry = Entry[Message]
# Without an entry, the failure is about all of them.
Failure = tuple[RemoteEntry | None, KafkaError]


class RemoteProducer:
    """At most one producer at a time, and the failures of what it was given."""

    def __init__(self, topic: str, open_producer: OpenProducer) -> None:
        self._topic = topic
        self._open_producer = open_producer
        self._producer: Producer | None = None
        self._one_by_one = False
        self._failures: list[Failure] = []

    def topic_error(self) -> KafkaError | None:
        """Why the topic cannot be written to now; meanwhile the client goes on connecting by itself."""
        try:
            metadata = self._opened.list_topics(self._topic, _ANSWER_SECONDS)
            found: KafkaError | None = metadata.topics[self._topic].error
        except KafkaException as error:
            found = error.args[0]
        return found

    def produce(self, entry: RemoteEntry) -> bool:
        """Hand over a record of an outbox; False if the producer's queue is full."""
        record = entry.record
        partition, headers = _chosen(record)

        def on_delivery_report(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                entry.acknowledged = True
            else:
                self._failures.append((entry, error))

        try:
            self._opened.produce(
                self._topic,
                record.value(),
                record.key(),
                partition,
                on_delivery=on_delivery_report,
                timestamp=record.timestamp()[1],
                headers=headers,
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._failures.append((entry, error.args[0]))
        return True

    def poll(self, timeout_seconds: float) -> list[Failure]:
        """Wait at most this long for a delivery report; acknowledges entries, and returns what has failed."""
        try:
            self._opened.poll(timeout_seconds)
        except KafkaException as error:
            # Fatal for all records; which one was the first, its own report says.
            self._failures.append((None, error.args[0]))
            self._opened.poll(_REPORTS_SECONDS)
        failures, self._failures = self._failures, []
        return failures

    def close(self, *, one_by_one: bool) -> None:
        """Release the producer and all that it holds; what has just been acknowledged still counts.

        `one_by_one` is for the next one.
        """
        if self._producer is not None:
            self._producer.purge()
            self.poll(0)
        self._producer = None
        self._one_by_one = one_by_one

    @property
    def _opened(self) -> Producer:
        if self._producer is None:
            self._producer = self._open_producer(self._one_by_one)
        return self._producer


class RefusedRecords:
    """Records that the other cluster will never take become dead letters in this one, as `on_error` says.

    The clients are made for the first of them.
    """

    def __init__(
        self, delivery: Delivery, dead_letters: str, client_id: str, settings: Settings, metrics: LoopMetrics
    ) -> None:
        self._delivery = delivery
        self._dead_letters = dead_letters
        self._client_id = client_id
        self._settings = settings
        self._metrics = metrics
        self._failures: list[KafkaError] = []
        self._log = FailureLog()

    def reject(self, record: Message, error: KafkaError) -> None:
        """Deal with one record; raises StopProcessing if the policy is to stop.

        Raises CommitError if the dead letter cannot be written: another worker may be able to. Raises
        KafkaSetupError if its topic refuses it.
        """
        letters: list[Output] = []
        place = Partition(record.topic() or "", record.partition() or 0)
        failures = FailureHandler(OnError(self._settings.on_error), self._dead_letters, place, letters.append)
        failures.enforce(self._limits)
        refusal = RecordError(f"{self._delivery.receiver} refuses it: {error.str()}")
        failures.reject(record, self._delivery.name, refusal)
        if letters:
            self._write(letters)
        self._metrics.rejected(failures.dead_letters, failures.dropped)
        self._log.add(failures.failures)

    @cached_property
    def _limits(self) -> RecordLimits:
        admin = admin_client(self._settings, self._client_id)
        found = topic_properties(admin, [self._dead_letters], self._settings)
        return RecordLimits(largest_record(self._settings), {t: limits_of(each) for t, each in found.items()})

    @cached_property
    def _producer(self) -> Producer:
        return ingest_producer(self._settings, self._client_id, self._failures)

    def _write(self, letters: list[Output]) -> None:
        for letter in letters:
            self._producer.produce(*letter)
        unsent = self._producer.flush(_WRITE_SECONDS)
        if any(failure.code() in OF_A_RECORD for failure in self._failures):
            raise KafkaSetupError(
                f"the dead-letter topic {self._dead_letters} refuses a dead letter of the sink "
                f"{self._delivery.name!r}: {self._failures[0].str()}; see its cleanup.policy, "
                "message.timestamp.* and max.message.bytes, or choose on_error=skip"
            )
        if unsent or self._failures:
            why = self._failures[0].str() if self._failures else f"no answer within {_WRITE_SECONDS:g} s"
            raise CommitError(
                f"a dead letter of the sink {self._delivery.name!r} could not be written to "
                f"{self._dead_letters}: {why}"
            )


def _chosen(record: Message) -> tuple[int, list[Any]]:
    """The partition over there, and the headers of the record: those behind our own, if that is there."""
    headers: list[Any] = list(record.headers() or ())
    if not headers or headers[0][0] != CHOSEN_PARTITION:
        # An older version has written it, or something else.
        return ANY_PARTITION, []
    chosen = headers[0][1]
    return int(chosen) if chosen and chosen.isdigit() else ANY_PARTITION, headers[1:]
