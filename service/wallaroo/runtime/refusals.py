"""What becomes of a record that another cluster will never take: a dead letter here, as `on_error` says."""

from confluent_kafka import KafkaError, Message

from wallaroo.errors import CommitError, RecordError
from wallaroo.observability import metrics
from wallaroo.processing.rejections import OnError, Rejections
from wallaroo.record import Output, Partition
from wallaroo.runtime.client_log import log_client_error
from wallaroo.runtime.clients import admin_client, ingest_producer
from wallaroo.runtime.limits import ask_limits
from wallaroo.runtime.measure import LoopMeasures
from wallaroo.settings import Settings

_WRITE_SECONDS = 10.0


class Refusals:
    """Writes the dead letters of one delivery; there are few, so that each has clients of its own."""

    def __init__(
        self, sink: str, receiver: str, dead_letters: str, client_id: str, settings: Settings
    ) -> None:
        self.measures = LoopMeasures(sink)
        self._sink = sink
        self._receiver = receiver
        self._dead_letters = dead_letters
        self._client_id = client_id
        self._settings = settings

    def refuse(self, record: Message, error: KafkaError) -> None:
        """Deal with one record; StopProcessing where the policy is to stop.

        Raises CommitError where the dead letter cannot be written: another worker may be able to.
        """
        letters: list[Output] = []
        place = Partition(record.topic() or "", record.partition() or 0)
        rejections = Rejections(OnError(self._settings.on_error), self._dead_letters, place, letters.append)
        admin = admin_client(self._settings, self._client_id)
        rejections.beware(ask_limits(admin, [self._dead_letters], self._settings))
        rejections.reject(record, self._sink, RecordError(f"{self._receiver} refuses it: {error.str()}"))
        self._write(letters)
        for (stage, kind), count in rejections.dead_letters.items():
            self.measures.values.count(metrics.DEAD_LETTERS, count, stage, kind)
        for (stage, reason), count in rejections.dropped.items():
            self.measures.values.count(metrics.RECORDS_DROPPED, count, stage, reason)

    def _write(self, letters: list[Output]) -> None:
        failures: list[KafkaError] = []
        producer = ingest_producer(self._settings, self._client_id, log_client_error, failures)
        for letter in letters:
            producer.produce(*letter)
        if producer.flush(_WRITE_SECONDS) or failures:
            why = failures[0].str() if failures else f"no answer within {_WRITE_SECONDS:g} s"
            raise CommitError(f"a dead letter of the sink {self._sink!r} could not be written: {why}")
