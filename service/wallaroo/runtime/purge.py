"""Delete what has been read from repartition, ingest and outbox topics, as Kafka Streams does.

These topics have no retention, so that nothing unread is ever lost; without this they would only grow.
"""

import logging
from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 30.0
_LOOK_SECONDS = 5.0


def readers(topology: Topology) -> Mapping[str, str]:
    """The topics that one group of ours alone reads, and that group."""
    inputs = {s.input.topic: s.group for s in topology.sub_topologies if s.input.is_ours}
    return inputs | {delivery.outbox: delivery.group for delivery in topology.deliveries}


def purge(admin: AdminClient, topology: Topology) -> None:
    """Delete the records below the committed offsets of their only reader; not now, then the next time.

    Nothing depends on it but disk space. It asks for the brokers first, and leaves it at that when none
    answers: an admin request that times out can abort the whole process inside of librdkafka 2.16
    (`rd_kafka_enq_once_del_source_return: Assertion eonce->refcnt > 0`).
    """
    try:
        admin.list_topics(timeout=_LOOK_SECONDS)
        for topic, group in readers(topology).items():
            _purge_topic(admin, topic, group)
    except KafkaException as error:
        _log.warning("purge failed", extra={"error": error.args[0].str()})


def _purge_topic(admin: AdminClient, topic: str, group: str) -> None:
    asked = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=_REQUEST_SECONDS
    )
    offsets = asked[group].result().topic_partitions or []
    done = [tp for tp in offsets if tp.topic == topic and tp.offset > 0]
    if done:
        for future in admin.delete_records(done, request_timeout=_REQUEST_SECONDS).values():
            future.result()
