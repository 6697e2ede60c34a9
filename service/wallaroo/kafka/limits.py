"""Limits: what the topics of a sub-topology take, asked of the cluster."""

import logging
from collections.abc import Iterable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topics import configs
from wallaroo.settings import Settings
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)

# What a topic takes that says nothing of its own, on a broker that does not either.
_KAFKAS_OWN = 1_048_588


def written_topics(sub: SubTopology, dead_letters: str) -> list[str]:
    """Every topic that a sub-topology writes."""
    topics = [target.topic for target in sub.targets]
    return list(dict.fromkeys([*topics, *(store.changelog for store in sub.stores), dead_letters]))


def topic_limits(admin: AdminClient, topics: Iterable[str], settings: Settings) -> dict[str, int]:
    """The largest record that each topic takes, in bytes.

    Kafka's default for a topic that may not be described; nothing where the cluster does not answer.
    """
    if settings.embedded_broker:
        return {}
    try:
        found = configs(admin, topics, "max.message.bytes")
    except KafkaException as error:
        _log.warning("limits of topics unknown", extra={"error": str(error)})
        return {}
    return {topic: _limit(value) for topic, value in found.items()}


def _limit(found: str | KafkaSetupError) -> int:
    if isinstance(found, KafkaSetupError):
        _log.warning("limit of a topic unknown", extra={"assumed": _KAFKAS_OWN, "error": str(found)})
        return _KAFKAS_OWN
    return int(found)
