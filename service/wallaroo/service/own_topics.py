"""The topics of a running service: created or checked before its workers start, purged while they run.

A purge deletes what has been read from repartition, ingest and outbox topics, as Kafka Streams does. These
topics have no retention, so that nothing unread is ever lost; without the purge they would only grow. An
offset says which topic it belongs to: in one that was made anew under the name, nothing has been read.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from wallaroo.clock import Clock
from wallaroo.engine.group_offsets import Cluster
from wallaroo.kafka.check import check_clients
from wallaroo.kafka.clients import admin_client, offsets_consumer
from wallaroo.kafka.cluster_watch import ClusterWatch, cluster_watch
from wallaroo.kafka.errors import OWN_CONNECTIONS
from wallaroo.kafka.members import GroupMembers
from wallaroo.kafka.topic_ids import ask_topic_ids
from wallaroo.kafka.topics import ensure_topics
from wallaroo.settings import Settings
from wallaroo.task.position import OffsetMetadata
from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)

_PURGE_SECONDS = 30.0
_MAY_DELETE = (
    "allow this client Delete on topics with the application id as prefix; until then, what is read stays"
)
_REQUEST_SECONDS = 10.0
# A page waits for it.
_MEMBERS_SECONDS = 2.0


class OwnTopics:
    """The topics of one application, asked for through one admin client.

    Making it raises SettingsError if a Kafka client refuses its properties, this one or one of the workers'.
    """

    def __init__(self, topology: Topology, settings: Settings, client_id: str) -> None:
        self.topology = topology
        self.settings = settings
        check_clients(topology, settings)
        self.admin = admin_client(settings, client_id)
        self.members = GroupMembers(self.admin, _MEMBERS_SECONDS)
        self._closed = threading.Event()

    def prepare(self) -> Mapping[str, int]:
        """Create what is missing and check the rest; returns the number of partitions of every topic.

        Raises KafkaSetupError if a topic cannot be used, KafkaException while Kafka cannot be reached.
        """
        return ensure_topics(self.admin, self.topology, self.settings)

    def watch(self, clock: Clock) -> ClusterWatch | None:
        """What asks whether the cluster is there; the embedded broker has no admin requests."""
        return None if self.settings.embedded_broker else cluster_watch(self.admin, clock)

    def start_purging(self) -> None:
        """Purge in a thread, now and then, until `close`."""
        # The embedded broker has no admin requests.
        if not self.settings.embedded_broker:
            threading.Thread(target=self._purge_until_closed, name="purge", daemon=True).start()

    def cluster(self, instance: str) -> Cluster:
        """What the lag of partitions that have no worker is found by."""
        application_id = self.topology.application_id
        return Cluster(self.settings, self.admin, self.members, application_id, instance)

    def close(self) -> None:
        self._closed.set()

    def purge(self) -> None:
        """Delete the records below the committed offsets of their only reader.

        An error is logged and left to the next purge: only disk space depends on it.
        """
        try:
            for topic, group in only_readers(self.topology).items():
                self._purge_topic(topic, group)
        except KafkaException as error:
            away = OWN_CONNECTIONS.is_disturbed(time.monotonic())
            level = logging.DEBUG if away else logging.WARNING
            refused = error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            advice = {"advice": _MAY_DELETE} if refused else {}
            _log.log(level, "purge failed", extra={"error": error.args[0].str(), **advice})

    def _purge_until_closed(self) -> None:
        while not self._closed.wait(_PURGE_SECONDS):
            self.purge()

    def _purge_topic(self, topic: str, group: str) -> None:
        numbers = self.admin.list_topics(topic, _REQUEST_SECONDS).topics[topic].partitions
        read = self._committed(group, [TopicPartition(topic, number) for number in numbers])
        # Asked for after the offsets: what they belong to must be there still.
        topic_id = ask_topic_ids(self.admin, [topic]).get(topic)
        if done := purgeable(read, topic_id):
            for future in self.admin.delete_records(done, request_timeout=_REQUEST_SECONDS).values():
                future.result()

    def _committed(self, group: str, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """The offsets of the group, asked for through a consumer that never joins it.

        The admin client will not do: if the coordinator answers after the request has timed out, librdkafka
        2.16 ends the process (`rd_kafka_enq_once_del_source_return: Assertion eonce->refcnt > 0`).
        """
        with closing(offsets_consumer(self.settings, group, f"{group}-purge")) as consumer:
            return consumer.committed(partitions, timeout=_REQUEST_SECONDS)


def only_readers(topology: Topology) -> Mapping[str, str]:
    """The topics that only one group of ours reads, each with that group."""
    inputs = {read.topic: s.group for s in topology.sub_topologies for read in s.inputs if read.is_internal}
    return inputs | {delivery.outbox: delivery.group for delivery in topology.deliveries}


def purgeable(committed: Iterable[TopicPartition], topic_id: str | None) -> list[TopicPartition]:
    """The offsets below which all has been read, if the topic has this id; None if the cluster tells no ids.

    An offset that does not say so was committed for a topic before this one, or by hand.
    """
    read = [(tp, OffsetMetadata.decode(tp.metadata)) for tp in committed if tp.offset > 0]
    return [tp for tp, of in read if (None if of is None else of.topic_id) == topic_id]
