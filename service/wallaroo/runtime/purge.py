"""Delete what has been read from repartition, ingest and outbox topics, as Kafka Streams does.

These topics have no retention, so that nothing unread is ever lost; without this they would only grow.
"""

import logging
from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10.0


def readers(topology: Topology) -> Mapping[str, str]:
    """The topics that one group of ours alone reads, and that group."""
    inputs = {s.input.topic: s.group for s in topology.sub_topologies if s.input.is_ours}
    return inputs | {delivery.outbox: delivery.group for delivery in topology.deliveries}


def purge(admin: AdminClient, topology: Topology) -> None:
    """Delete the records below the committed offsets of their only reader."""
    for topic, group in readers(topology).items():
        try:
            asked = admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group)], request_timeout=_REQUEST_SECONDS
            )
            offsets = asked[group].result().topic_partitions or []
            done = [tp for tp in offsets if tp.topic == topic and tp.offset > 0]
            for future in (
                admin.delete_records(done, request_timeout=_REQUEST_SECONDS).values() if done else ()
            ):
                future.result()
        except KafkaException as error:
            # Not now, then the next time: nothing depends on it but disk space.
            _log.warning("purge failed", extra={"topic": topic, "error": error.args[0].str()})
