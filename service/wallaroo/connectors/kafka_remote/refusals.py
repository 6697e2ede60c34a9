"""What becomes of a record that another cluster will never take: a dead letter here, as `on_error` says."""

from functools import cached_property

from confluent_kafka import KafkaError, Message, Producer

from wallaroo.engine.metrics import LoopMetrics
from wallaroo.errors import CommitError, RecordError
from wallaroo.kafka.clients import admin_client, ingest_producer, largest_record
from wallaroo.kafka.log import log_client_error
from wallaroo.kafka.topics import topic_limits
from wallaroo.record import Output, Partition
from wallaroo.settings import Settings
from wallaroo.task.dead_letters import FailureHandler, OnError
from wallaroo.task.record_size import RecordSizeLimits

_WRITE_SECONDS = 10.0


class Refusals:
    """Writes the dead letters of one delivery, with clients that are made for the first of them."""

    def __init__(
        self,
        sink: str,
        receiver: str,
        dead_letters: str,
        client_id: str,
        settings: Settings,
        metrics: LoopMetrics,
    ) -> None:
        self._sink = sink
        self._receiver = receiver
        self._dead_letters = dead_letters
        self._client_id = client_id
        self._settings = settings
        self._metrics = metrics
        self._failures: list[KafkaError] = []

    def refuse(self, record: Message, error: KafkaError) -> None:
        """Deal with one record; StopProcessing where the policy is to stop.

        Raises CommitError where the dead letter cannot be written: another worker may be able to.
        """
        letters: list[Output] = []
        place = Partition(record.topic() or "", record.partition() or 0)
        failures = FailureHandler(OnError(self._settings.on_error), self._dead_letters, place, letters.append)
        failures.enforce_size_limits(self._limits)
        failures.reject(record, self._sink, RecordError(f"{self._receiver} refuses it: {error.str()}"))
        if letters:
            self._write(letters)
        self._metrics.rejected(failures.dead_letters, failures.dropped)

    @cached_property
    def _limits(self) -> RecordSizeLimits:
        admin = admin_client(self._settings, self._client_id)
        topics = topic_limits(admin, [self._dead_letters], self._settings)
        return RecordSizeLimits(largest_record(self._settings), topics)

    @cached_property
    def _producer(self) -> Producer:
        return ingest_producer(self._settings, self._client_id, log_client_error, self._failures)

    def _write(self, letters: list[Output]) -> None:
        for letter in letters:
            self._producer.produce(*letter)
        if self._producer.flush(_WRITE_SECONDS) or self._failures:
            why = self._failures[0].str() if self._failures else f"no answer within {_WRITE_SECONDS:g} s"
            raise CommitError(f"a dead letter of the sink {self._sink!r} could not be written: {why}")
