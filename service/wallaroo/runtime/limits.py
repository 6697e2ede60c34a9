"""Limits: what the topics of a sub-topology take, asked of the cluster."""

import logging
from collections.abc import Iterable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.errors import KafkaSetupError
from wallaroo.processing.sizes import Limits
from wallaroo.runtime.clients import largest_record
from wallaroo.runtime.topics import configs
from wallaroo.settings import Settings
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)


def written_topics(sub: SubTopology, dead_letters: str) -> list[str]:
    """Every topic that a sub-topology writes."""
    topics = [target.topic for target in sub.targets]
    return list(dict.fromkeys([*topics, *(store.changelog for store in sub.stores), dead_letters]))


def ask_limits(admin: AdminClient, topics: Iterable[str], settings: Settings) -> Limits:
    """The limits as they are now; where they cannot be had, the producer's own alone."""
    producer = largest_record(settings)
    if settings.embedded_broker:
        return Limits(producer, {})
    try:
        found = configs(admin, topics, "max.message.bytes")
    except (KafkaException, KafkaSetupError) as error:
        _log.warning("limits of topics unknown", extra={"error": str(error)})
        return Limits(producer, {})
    return Limits(producer, {topic: int(limit) for topic, limit in found.items()})
