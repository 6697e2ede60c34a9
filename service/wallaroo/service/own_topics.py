"""The topics of a running service: created or checked before its workers start, purged while they run."""

import threading
from collections.abc import Mapping

from confluent_kafka import KafkaException

from wallaroo.kafka.clients import admin_client
from wallaroo.kafka.purge import purge
from wallaroo.kafka.topics import ensure_topics
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology

_PURGE_SECONDS = 30.0


class OwnTopics:
    """The topics of one application, asked for through one admin client."""

    def __init__(self, topology: Topology, settings: Settings, client_id: str) -> None:
        self._topology = topology
        self._settings = settings
        self._admin = admin_client(settings, client_id)
        self._closed = threading.Event()

    def prepare(self) -> Mapping[str, int]:
        """Create what is missing and check the rest; returns the number of partitions of every topic.

        Raises KafkaSetupError where a topic cannot be used, KafkaException while Kafka cannot be reached.
        """
        try:
            return ensure_topics(self._admin, self._topology, self._settings)
        except KafkaException:
            # The client reports a refused connection or a wrong password only when it is polled.
            self._admin.poll(0)
            raise

    def start_purging(self) -> None:
        """Delete from internal topics what has been read, in a thread, until `close`."""
        # The embedded broker has no admin requests.
        if not self._settings.embedded_broker:
            threading.Thread(target=self._purge, name="purge", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _purge(self) -> None:
        while not self._closed.wait(_PURGE_SECONDS):
            purge(self._admin, self._settings, self._topology)
