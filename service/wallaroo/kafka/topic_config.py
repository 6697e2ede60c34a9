"""The properties of topics: asked for, and altered where a topic of ours would refuse records for a time.

An operator's word stands: what is set on a topic itself, or in `topic_config`, is never altered.
"""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.retry import may_pass
from wallaroo.settings import Settings

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 15.0
_ANY_MS = str(2**63 - 1)

# The time of a record is that of the event it came from, however long ago or far ahead: from Kafka 4.0 on, a
# topic takes an hour ahead by default.
EVERY_TIME = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": _ANY_MS,
    "message.timestamp.after.max.ms": _ANY_MS,
}
# Until Kafka 3.9 there is also one limit for both; before 3.6 no other.
_EVERY_TIME_EVER = {**EVERY_TIME, "message.timestamp.difference.max.ms": _ANY_MS}

# What a topic is described as, by property, or why it may not be read.
Described = Mapping[str, Any] | KafkaSetupError


def describe(admin: AdminClient, topics: Iterable[str]) -> dict[str, Described]:
    """The properties of each topic, or why they may not be read; KafkaException if there is no answer."""
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    answers = admin.describe_configs(resources, request_timeout=_REQUEST_SECONDS)
    return {resource.name: _described(answer, resource.name) for resource, answer in answers.items()}


def _described(answer: Future[Mapping[str, Any]], topic: str) -> Described:
    try:
        return answer.result()
    except KafkaException as error:
        if may_pass(error.args[0]):
            raise
        return KafkaSetupError(
            f"the configuration of {topic} cannot be read: {error.args[0].str()}; allow this client "
            f"DescribeConfigs on {topic}"
        )


def topic_properties(
    admin: AdminClient, topics: Iterable[str], settings: Settings
) -> dict[str, Mapping[str, str]]:
    """The properties of each topic as they are now; of none if the cluster does not answer.

    Those of a topic that may not be asked are empty.
    """
    if settings.embedded_broker:
        return {}
    try:
        found = describe(admin, topics)
    except KafkaException as error:
        _log.warning("limits of topics unknown", extra={"error": str(error)})
        return {}
    for topic, properties in found.items():
        if isinstance(properties, KafkaSetupError):
            # Not needed: what such a topic refuses is found by asking the broker record by record.
            _log.info("limits of a topic unknown", extra={"topic": topic, "error": str(properties)})
    return {
        topic: {} if isinstance(properties, KafkaSetupError) else _values(properties)
        for topic, properties in found.items()
    }


def take_every_time(admin: AdminClient, topics: Mapping[str, Described], settings: Settings) -> None:
    """Alter topics of ours so that they take every time; where that is not allowed, warn with the command."""
    for topic, properties in topics.items():
        if isinstance(properties, KafkaSetupError):
            _log.warning("a topic may refuse times", extra={"topic": topic, "error": str(properties)})
            continue
        chosen, missing = refused_times(properties, settings)
        if missing and settings.create_topics:
            why = _alter(admin, topic, missing)
        else:
            why = "create_topics is false"
        if missing and not why:
            _log.info("topic altered", extra={"topic": topic, "properties": missing})
        elif missing or chosen:
            why = why if missing else "an operator has set this"
            command = command_to_set(topic, {**missing, **chosen}, settings)
            _log.warning("a topic may refuse times", extra={"topic": topic, "why": why, "to_change": command})


def refused_times(properties: Mapping[str, Any], settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """What to set so that every time is taken: where an operator chose otherwise, and elsewhere."""
    chosen: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name, value in _EVERY_TIME_EVER.items():
        entry = properties.get(name)
        if entry is None or entry.value == value or name in settings.topic_config:
            continue
        on_the_topic = entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        (chosen if on_the_topic else missing)[name] = value
    return chosen, missing


def _alter(admin: AdminClient, topic: str, properties: Mapping[str, str]) -> str:
    """Set these properties; returns why the cluster refuses, or nothing."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in properties.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    try:
        for answer in admin.incremental_alter_configs([resource], request_timeout=_REQUEST_SECONDS).values():
            answer.result()
    except KafkaException as error:
        if may_pass(error.args[0]):
            raise
        refused: str = error.args[0].str()
        return refused
    return ""


def command_to_set(topic: str, properties: Mapping[str, str], settings: Settings) -> str:
    """What an operator types to set properties of a topic."""
    wanted = ",".join(f"{name}={value}" for name, value in properties.items())
    return (
        f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {wanted}"
    )


def set_on_topic(properties: Described) -> dict[str, str]:
    """The properties that are set on the topic itself; none if they may not be read."""
    if isinstance(properties, KafkaSetupError):
        return {}
    of_topic = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {name: entry.value for name, entry in sorted(properties.items()) if entry.source == of_topic}


def _values(properties: Mapping[str, Any]) -> Mapping[str, str]:
    return {name: entry.value for name, entry in properties.items() if entry.value is not None}
