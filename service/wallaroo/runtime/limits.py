"""Limits: what the topics of a sub-topology take, asked of the cluster."""

import logging
from collections.abc import Iterable

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ResourceType,
)

from wallaroo.processing.sizes import Limits
from wallaroo.runtime.clients import largest_record
from wallaroo.settings import Settings
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10.0
_PROPERTY = "max.message.bytes"


def written_topics(sub: SubTopology, dead_letters: str) -> list[str]:
    """Every topic that a sub-topology writes."""
    topics = [target.topic for target in sub.targets]
    return list(dict.fromkeys([*topics, *(store.changelog for store in sub.stores), dead_letters]))


def ask_limits(admin: AdminClient, topics: Iterable[str], settings: Settings) -> Limits:
    """The limits as they are now; where they cannot be had, the producer's own alone."""
    producer = largest_record(settings)
    if settings.embedded_broker:
        return Limits(producer, {})
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    try:
        answers = admin.describe_configs(resources, request_timeout=_REQUEST_SECONDS)
        found = {resource.name: int(answer.result()[_PROPERTY].value) for resource, answer in answers.items()}
    except KafkaException as error:
        _log.warning("limits of topics unknown", extra={"error": error.args[0].str()})
        return Limits(producer, {})
    return Limits(producer, found)
