"""The loop of one TCP source in one worker: read frames from senders, write their payloads to a topic.

Rules for whoever edits this file:
1. What a connection sends goes to one partition, in its order: no producer setting may change that.
2. While Kafka accepts nothing, nothing is read: senders wait, nothing is dropped.
3. A frame is safe from the moment Kafka has it. When a worker dies, its senders have to resend what it had
   read and Kafka does not have: plain TCP cannot tell them.
"""

import logging
import math
import threading
from collections.abc import Iterable

from confluent_kafka import KafkaError

from wallaroo.clock import Clock
from wallaroo.connectors.tcp.sockets import is_free
from wallaroo.connectors.tcp.source import Received, TcpSource
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.errors import CommitError, KafkaSetupError, SettingsError
from wallaroo.kafka.clients import WorkerIdentity, admin_client, ingest_producer
from wallaroo.kafka.topic_config import topic_properties
from wallaroo.observability import metrics
from wallaroo.observability.health import LoopStatus, Uncommitted
from wallaroo.settings import Settings
from wallaroo.task.limits import limits_of
from wallaroo.topology.model import Ingest

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.1
_QUEUE_FULL_SECONDS = 0.05
_LAST_SECONDS = 10.0
# A record is its value and less than this much else.
_RECORD_OVERHEAD_BYTES = 512


class IngestLoop:
    """Listens on the port of one source until told to stop."""

    def __init__(
        self, ingest: Ingest, partitions: int, settings: Settings, identity: WorkerIdentity, clock: Clock
    ) -> None:
        self.name = ingest.name
        self.metrics = LoopMetrics(ingest.name)
        self._source = ingest.source
        self._max_size = ingest.max_size
        self._topic = ingest.topic
        self._partitions = partitions
        self._worker = identity.worker
        self._member_id = identity.member_id(ingest.name)
        self._settings = settings
        self._stopping = threading.Event()
        self._clock = clock
        # When to leave, whatever Kafka has not taken by then.
        self._deadline = math.inf
        self._lost = self._cut_off = 0
        self._failures: list[KafkaError] = []
        self._tcp = TcpSource(ingest, clock.monotonic, settings.sender_idle_timeout_ms / 1000)

    def resume(self, before: Uncommitted | None) -> None:
        """Senders have what has not been written."""

    def stop(self) -> None:
        self._deadline = self._clock.monotonic() + _LAST_SECONDS
        self._stopping.set()

    def status(self) -> LoopStatus:
        obstacle = "" if self._tcp.listening else "it does not listen yet; look at the log of the worker"
        return LoopStatus(self.name, True, 0, 0, connected=True, problem=None, obstacle=obstacle)

    def run(self) -> None:
        """Run until stopped; then write what has arrived by then, and leave.

        Raises KafkaSetupError if the topic takes less than the source, CommitError if Kafka takes no more.
        """
        self._check_topic()
        self._producer = ingest_producer(
            self._settings, self._member_id, self._failures, self._on_client_error
        )
        try:
            self._tcp.open()
            self._serve()
        finally:
            self._tcp.close()

    def _check_topic(self) -> None:
        """A frame that the topic refuses would be lost, and the sender not be told."""
        admin = admin_client(self._settings, self._member_id)
        properties = topic_properties(admin, [self._topic], self._settings).get(self._topic)
        if not properties:
            return
        largest, limits = self._max_size + _RECORD_OVERHEAD_BYTES, limits_of(properties)
        if limits.max_bytes < largest:
            raise KafkaSetupError(
                f"the source {self._source!r} takes payloads of up to {self._max_size} bytes, but its topic "
                f"{self._topic} has {limits.size_property}={limits.max_bytes}; set it to at least {largest}, "
                "or lower the source's max_size"
            )

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._write(self._tcp.poll(_IDLE_SECONDS))
            self._producer.poll(0)
            self._raise_failure()
            self._update_metrics()
        self._tcp.close_port()
        self._write(self._tcp.drain())
        self._flush()
        self._update_metrics()

    def _write(self, received: Iterable[Received]) -> None:
        topic, produce = self._topic, self._producer.produce
        for connection, payloads in received:
            partition = (self._worker + connection) % self._partitions
            for payload in payloads:
                try:
                    produce(topic, payload, None, partition)
                except BufferError:
                    self._wait_and_produce(payload, partition)
            self.metrics.values.count(metrics.INGESTED_RECORDS, len(payloads), self._source)

    def _wait_and_produce(self, payload: bytes, partition: int) -> None:
        """The producer's queue is full: wait until it has room, or until it is time to leave."""
        while self._clock.monotonic() < self._deadline:
            self._producer.poll(_QUEUE_FULL_SECONDS)
            self._raise_failure()
            try:
                self._producer.produce(self._topic, payload, None, partition)
            except BufferError:
                continue
            return
        self._lost += 1

    def _flush(self) -> None:
        self._lost += self._producer.flush(max(0.0, self._deadline - self._clock.monotonic()))
        self._raise_failure()
        if self._lost:
            details = {"source": self._source, "frames": self._lost, "seconds": _LAST_SECONDS}
            _log.error("frames lost: Kafka did not take them in time; send them again", extra=details)

    def _raise_failure(self) -> None:
        if self._failures:
            raise CommitError(
                f"Kafka does not take what the source {self._source!r} writes to {self._topic}: "
                f"{self._failures[0].str()}; see that this client may write to the topic, and that the "
                "topic's max.message.bytes is no less than max_message_bytes"
            )

    def _on_client_error(self, error: KafkaError) -> None:
        _log.warning("client", extra={"error": error.str()})
        if error.fatal():
            self._failures.append(error)

    def _update_metrics(self) -> None:
        values = self.metrics.values
        values.set(metrics.SENDERS_CONNECTED, self._tcp.connections, self._source)
        values.count(metrics.SENDERS_CUT_OFF, self._tcp.broken - self._cut_off, self._source)
        self._cut_off = self._tcp.broken


def check_ingests(ingests: Iterable[Ingest], settings: Settings) -> None:
    """Raise SettingsError if a source could not listen, or not be written; to call before anything starts."""
    for ingest in ingests:
        if ingest.max_size + _RECORD_OVERHEAD_BYTES > settings.max_message_bytes:
            raise SettingsError(
                f"the source {ingest.source!r} takes payloads of up to {ingest.max_size} bytes, but "
                f"max_message_bytes is {settings.max_message_bytes}; set it to at least "
                f"{ingest.max_size + _RECORD_OVERHEAD_BYTES}, or lower the source's max_size"
            )
        if ingest.listens and not is_free(ingest.source, ingest.host, ingest.port):
            details = {"source": ingest.source, "host": ingest.host, "port": ingest.port}
            what = "is it another process group of this application? Otherwise each gets some of the senders"
            _log.warning("port shared", extra={**details, "question": what})
