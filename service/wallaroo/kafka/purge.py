"""Delete what has been read from repartition, ingest and outbox topics, as Kafka Streams does.

These topics have no retention, so that nothing unread is ever lost. Without the purge they would only grow.
"""

import logging
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.kafka.clients import common_config
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10.0


def readers(topology: Topology) -> Mapping[str, str]:
    """The topics that only one group of ours reads, each with that group."""
    inputs = {read.topic: s.group for s in topology.sub_topologies for read in s.inputs if read.is_ours}
    return inputs | {delivery.outbox: delivery.group for delivery in topology.deliveries}


def purge(admin: AdminClient, settings: Settings, topology: Topology) -> None:
    """Delete the records below the committed offsets of their only reader.

    An error is logged and left to the next purge: only disk space depends on it.
    """
    try:
        for topic, group in readers(topology).items():
            _purge_topic(admin, settings, topic, group)
    except KafkaException as error:
        _log.warning("purge failed", extra={"error": error.args[0].str()})


def _purge_topic(admin: AdminClient, settings: Settings, topic: str, group: str) -> None:
    numbers = admin.list_topics(topic, _REQUEST_SECONDS).topics[topic].partitions
    read = _committed(settings, group, [TopicPartition(topic, number) for number in numbers])
    done = [tp for tp in read if tp.offset > 0]
    if done:
        for future in admin.delete_records(done, request_timeout=_REQUEST_SECONDS).values():
            future.result()


def _committed(settings: Settings, group: str, partitions: list[TopicPartition]) -> list[TopicPartition]:
    """The offsets of the group, asked for through a consumer that never joins it.

    The admin client will not do: if the coordinator answers after the request has timed out, librdkafka
    2.16 ends the process (`rd_kafka_enq_once_del_source_return: Assertion eonce->refcnt > 0`).
    """
    consumer = Consumer(
        {**common_config(settings, f"{group}-purge"), "group.id": group, "enable.auto.commit": False}
    )
    try:
        return consumer.committed(partitions, timeout=_REQUEST_SECONDS)
    finally:
        consumer.close()
