"""The topics of an application: planned from the topology, created or checked, asked for their limits.

Rules for whoever edits this file:
1. A changelog has as many partitions as the topic its sub-topology reads, and is compacted.
2. A topic that exists is never altered, only checked: the error says what to change.
"""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.retry import may_pass
from wallaroo.settings import DEAD_LETTER_BYTES, Settings
from wallaroo.topology.model import SubTopology, Topology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 15.0
# An operator wants to know soon if no broker answers; the client goes on connecting meanwhile.
_REACH_SECONDS = 5.0
_KEEP_FOREVER = {"retention.ms": "-1"}
_COMPACT = {"cleanup.policy": "compact"}
# Windows read these: the time of a record is its event time, whatever the broker does with other topics.
_EVENT_TIME = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**63 - 1)}

# Only the last record counts; compaction needs small segments to delete the others.
_LAST_ONLY = {**_COMPACT, "segment.bytes": "16777216"}

# What to ask for if the cluster's policy does not allow what we would like: first what some managed clusters
# allow at most, then nothing of our own.
_INSTEAD = ({"max.message.bytes": "8388608"}, {"max.message.bytes": "", "segment.bytes": ""})
_NOT_ALLOWED = (KafkaError.POLICY_VIOLATION, KafkaError.INVALID_CONFIG)

_POLICY_ADVICE = (
    "set max_message_bytes and topic_config to what the cluster allows; an empty value in topic_config "
    "leaves a property to the broker"
)

# The limit of a topic if neither the topic nor the broker sets one.
_KAFKAS_OWN_LIMIT = 1_048_588

Purpose = Literal[
    "source", "sink", "ingest", "generator", "repartition", "changelog", "outbox", "dead letters"
]


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic as it should be; `exact` says that it must have just so many partitions."""

    name: str
    purpose: Purpose
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    exact: bool = False


def plan(topology: Topology, existing: Mapping[str, int], default_partitions: int) -> list[TopicPlan]:
    """All topics of a topology, given the partition counts of those that exist."""
    count = existing.get
    sources = dict.fromkeys(source.topic for source in topology.external_sources)
    plans = [TopicPlan(topic, "source", count(topic, default_partitions)) for topic in sources]
    for ingest in topology.ingests:
        partitions = count(ingest.topic, default_partitions)
        plans.append(TopicPlan(ingest.topic, "ingest", partitions, _KEEP_FOREVER))
    # A generator is one stream in one order: its topic does not say how many partitions the others need.
    widest = max((p.partitions for p in plans), default=default_partitions)
    for generator in topology.generators:
        plans.append(TopicPlan(generator.topic, "ingest", count(generator.topic, 1), _KEEP_FOREVER))
        plans.append(TopicPlan(generator.positions, "generator", 1, _LAST_ONLY))
    timed = {sub.input.topic for sub in topology.sub_topologies if sub.input.upstreams}
    for topic in topology.repartitions:
        config = {**_KEEP_FOREVER, **_EVENT_TIME} if topic in timed else _KEEP_FOREVER
        plans.append(TopicPlan(topic, "repartition", count(topic, widest), config))
    read = {p.name: p.partitions for p in plans}
    for sub in topology.sub_topologies:
        for store in sub.stores:
            partitions = read[sub.input.topic]
            plans.append(TopicPlan(store.changelog, "changelog", partitions, _COMPACT, exact=True))
    for delivery in topology.deliveries:
        plans.append(TopicPlan(delivery.outbox, "outbox", count(delivery.outbox, widest), _KEEP_FOREVER))
    plans += [TopicPlan(t, "sink", count(t, default_partitions)) for t in topology.sinks if t not in read]
    dead = topology.dead_letters
    return [*plans, TopicPlan(dead, "dead letters", count(dead, default_partitions), _KEEP_FOREVER)]


def ensure_topics(admin: AdminClient, topology: Topology, settings: Settings) -> dict[str, int]:
    """Create what is missing and check the rest; returns the number of partitions of every topic.

    Raises KafkaSetupError if a topic cannot be used or created, and KafkaException if the cluster
    cannot be reached or cannot answer at this moment.
    """
    found = admin.list_topics(timeout=_REACH_SECONDS).topics
    existing = {name: len(topic.partitions) for name, topic in found.items() if topic.partitions}
    plans = plan(topology, existing, settings.partitions)
    if settings.embedded_broker:
        return _let_the_broker_create(admin, plans)
    missing = [p for p in plans if p.name not in existing]
    if missing and not settings.create_topics:
        names = ", ".join(f"{p.name} ({p.partitions} partitions, {dict(p.config)})" for p in missing)
        raise KafkaSetupError(f"these topics are missing: {names}; create them, or set create_topics=true")
    _check(admin, [p for p in plans if p.name in existing], existing)
    _create(admin, missing, settings)
    return {p.name: p.partitions for p in plans}


def _let_the_broker_create(admin: AdminClient, plans: Iterable[TopicPlan]) -> dict[str, int]:
    """The embedded broker has no admin requests; asking about a topic creates it."""
    return {p.name: len(admin.list_topics(p.name, _REQUEST_SECONDS).topics[p.name].partitions) for p in plans}


def _check(admin: AdminClient, plans: list[TopicPlan], existing: Mapping[str, int]) -> None:
    for p in plans:
        if p.exact and existing[p.name] != p.partitions:
            raise KafkaSetupError(
                f"the {p.purpose} topic {p.name} has {existing[p.name]} partitions, but its input has "
                f"{p.partitions}: state would go to the wrong place; give the input its old number of "
                "partitions, or start under a new application_id"
            )
    compacted = {p.name: p.purpose for p in plans if p.config.get("cleanup.policy") == "compact"}
    for name, policy in _property(admin, list(compacted), "cleanup.policy").items():
        if isinstance(policy, KafkaSetupError):
            raise policy
        if "compact" not in policy:
            raise KafkaSetupError(
                f"the {compacted[name]} topic {name} has cleanup.policy={policy}: state would be deleted; "
                "set cleanup.policy=compact on it"
            )


def _property(admin: AdminClient, topics: Iterable[str], name: str) -> dict[str, str | KafkaSetupError]:
    """The value of a property for each topic, or why it may not be read.

    Raises KafkaException if the cluster cannot answer.
    """
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    answers = admin.describe_configs(resources, request_timeout=_REQUEST_SECONDS)
    return {resource.name: _value(answer, resource.name, name) for resource, answer in answers.items()}


def _value(answer: Future[Mapping[str, Any]], topic: str, name: str) -> str | KafkaSetupError:
    try:
        value: str = answer.result()[name].value
    except KafkaException as error:
        if may_pass(error.args[0]):
            raise
        return KafkaSetupError(
            f"the configuration of {topic} cannot be read: {error.args[0].str()}; allow this client "
            "DescribeConfigs on topics with the application id as prefix"
        )
    return value


def _create(admin: AdminClient, plans: list[TopicPlan], settings: Settings) -> None:
    """Create topics, with smaller limits where the cluster does not allow those that nobody has asked for."""
    instead: Mapping[str, str] = {}
    refused = _try_to_create(admin, plans, settings, instead)
    for smaller in _INSTEAD:
        if refused and all(error.code() in _NOT_ALLOWED for error in refused.values()):
            instead = {name: value for name, value in smaller.items() if _is_free(name, settings)}
            reason = next(iter(refused.values())).str()
            _log.warning(
                "topics refused", extra={"reason": reason, "instead": instead, "advice": _POLICY_ADVICE}
            )
            plans = [p for p in plans if p.name in refused]
            refused = _try_to_create(admin, plans, settings, instead)
    for p in plans:
        if p.name in refused:
            raise _refusal(p, refused[p.name])


def _is_free(name: str, settings: Settings) -> bool:
    """Whether the operator has not set a property of new topics."""
    return name not in settings.topic_config and (
        name != "max.message.bytes" or "max_message_bytes" not in settings.model_fields_set
    )


def _try_to_create(
    admin: AdminClient, plans: list[TopicPlan], settings: Settings, instead: Mapping[str, str]
) -> dict[str, KafkaError]:
    """The topics that cannot be created, with the reason; KafkaException if that may pass."""
    if not plans:
        return {}
    factor = settings.replication_factor
    new = [NewTopic(p.name, p.partitions, factor, config=_config(p, settings, instead)) for p in plans]
    created = admin.create_topics(new, request_timeout=_REQUEST_SECONDS)
    refused = {}
    for p in plans:
        try:
            created[p.name].result()
        except KafkaException as error:
            if may_pass(error.args[0]):
                raise
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                refused[p.name] = error.args[0]
        else:
            details = {"topic": p.name, "purpose": p.purpose, "partitions": p.partitions}
            _log.info("topic created", extra=details)
    return refused


def _config(p: TopicPlan, settings: Settings, instead: Mapping[str, str]) -> dict[str, str]:
    """The properties of a new topic: an empty value leaves one to the broker, `instead` replaces ours."""
    reasons = DEAD_LETTER_BYTES if p.purpose == "dead letters" else 0
    ours = {"max.message.bytes": str(settings.max_message_bytes + reasons), **p.config}
    ours |= {name: value for name, value in instead.items() if name in ours}
    return {name: value for name, value in {**ours, **settings.topic_config}.items() if value}


def _refusal(p: TopicPlan, error: KafkaError) -> KafkaSetupError:
    advice = {
        KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow this client to create topics with the application id "
        "as prefix, or create it yourself and set create_topics=false",
        KafkaError.CLUSTER_AUTHORIZATION_FAILED: "allow this client to create topics, or create it yourself "
        "and set create_topics=false",
        KafkaError.INVALID_REPLICATION_FACTOR: "set replication_factor to what the cluster can hold",
        KafkaError.POLICY_VIOLATION: _POLICY_ADVICE,
        KafkaError.INVALID_CONFIG: "leave the property out by setting it to nothing in topic_config",
    }
    what = advice.get(error.code(), "see the broker's log")
    wanted = f"{p.partitions} partitions, {dict(p.config)}"
    return KafkaSetupError(
        f"the {p.purpose} topic {p.name} ({wanted}) cannot be created: {error.str()}; {what}"
    )


def written_topics(sub: SubTopology, dead_letters: str) -> list[str]:
    """Every topic that a sub-topology writes."""
    topics = [target.topic for target in sub.targets]
    return list(dict.fromkeys([*topics, *(store.changelog for store in sub.stores), dead_letters]))


def topic_limits(admin: AdminClient, topics: Iterable[str], settings: Settings) -> dict[str, int]:
    """How many bytes a record of each topic may have, as it is now; nothing if the cluster does not answer.

    A topic that may not be asked is taken to have Kafka's own limit.
    """
    if settings.embedded_broker:
        return {}
    try:
        found = _property(admin, topics, "max.message.bytes")
    except KafkaException as error:
        _log.warning("limits of topics unknown", extra={"error": str(error)})
        return {}
    return {topic: _limit(value) for topic, value in found.items()}


def _limit(found: str | KafkaSetupError) -> int:
    if isinstance(found, KafkaSetupError):
        _log.warning("limit of a topic unknown", extra={"assumed": _KAFKAS_OWN_LIMIT, "error": str(found)})
        return _KAFKAS_OWN_LIMIT
    return int(found)
