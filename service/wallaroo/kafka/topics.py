"""The topics of an application: planned from the topology, created or checked.

Rules for whoever edits this file:
1. A changelog has as many partitions as the topic its sub-topology reads, and is compacted. One that holds
   nothing but positions may have more, and gets more if it has too few.
2. A topic that exists is only checked: the error says what to change. The exception is what times a topic of
   ours takes (topic_config.py).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.retry import may_pass
from wallaroo.kafka.topic_config import EVERY_TIME, Described, describe, take_every_time
from wallaroo.settings import DEAD_LETTER_BYTES, Settings
from wallaroo.topology.model import SubTopology, Topology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 15.0
# An operator wants to know soon if no broker answers; the client goes on connecting meanwhile.
_REACH_SECONDS = 3.0
_KEEP_FOREVER = {"retention.ms": "-1"}
_COMPACT = {"cleanup.policy": "compact"}
# Only the last record counts; compaction needs small segments to delete the others.
_LAST_ONLY = {**_COMPACT, "segment.bytes": "16777216"}

_SIZES_BY_BROKER = {"max.message.bytes": "", "segment.bytes": ""}
_TIMES_BY_BROKER = dict.fromkeys(EVERY_TIME, "")
# What to ask for if the cluster's policy does not allow what we would like: first what some managed clusters
# allow at most, then nothing of our own. Kafka before 3.6 does not know the limits of times.
_INSTEAD = (
    {"max.message.bytes": "8388608"},
    _SIZES_BY_BROKER,
    _TIMES_BY_BROKER,
    {**_SIZES_BY_BROKER, **_TIMES_BY_BROKER},
)
_NOTHING: Mapping[str, str] = {}
_NOT_ALLOWED = (KafkaError.POLICY_VIOLATION, KafkaError.INVALID_CONFIG)

_POLICY_ADVICE = (
    "set max_message_bytes and topic_config to what the cluster allows; an empty value in topic_config "
    "leaves a property to the broker"
)

Purpose = Literal[
    "source",
    "sink",
    "ingest",
    "generator",
    "repartition",
    "changelog",
    "positions",
    "outbox",
    "dead letters",
    "handled dead letters",
]

_OF_OTHERS = ("source", "sink")
# All of its records count, not only the last of a key.
_READ_ONCE = ("ingest", "repartition", "outbox")


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
    for topic in topology.repartitions:
        plans.append(TopicPlan(topic, "repartition", count(topic, widest), _KEEP_FOREVER))
    read = {p.name: p.partitions for p in plans}
    for sub in topology.sub_topologies:
        partitions = read[sub.input.topic]
        for store in sub.stores:
            if store is sub.positions:
                plans.append(TopicPlan(store.changelog, "positions", partitions, _LAST_ONLY))
            else:
                plans.append(TopicPlan(store.changelog, "changelog", partitions, _COMPACT, exact=True))
    for delivery in topology.deliveries:
        plans.append(TopicPlan(delivery.outbox, "outbox", count(delivery.outbox, widest), _KEEP_FOREVER))
    plans += [TopicPlan(t, "sink", count(t, default_partitions)) for t in topology.sinks if t not in read]
    dead = topology.dead_letters
    plans.append(TopicPlan(dead, "dead letters", count(dead, default_partitions), _KEEP_FOREVER))
    return [replace(p, config={**p.config, **EVERY_TIME}) for p in plans]


def handled_topic(topology: Topology) -> TopicPlan:
    """Where it is noted what became of dead letters; whoever notes it first creates the topic."""
    config = {**_COMPACT, **EVERY_TIME}
    return TopicPlan(f"{topology.dead_letters}-handled", "handled dead letters", 1, config)


def orphans(application_id: str, existing: Iterable[str], plans: Iterable[TopicPlan]) -> list[str]:
    """Internal topics of this application that it does not use any more.

    Those of an application whose id begins with this one and a hyphen cannot be told from them.
    """
    used = {p.name for p in plans}
    kinds = ("-changelog", "-repartition", "-outbox", "-ingest", "-positions")
    return sorted(
        name
        for name in existing
        if name.startswith(f"{application_id}-") and name.endswith(kinds) and name not in used
    )


@dataclass(frozen=True, slots=True)
class Survey:
    """All topics of a topology, and how many partitions those have that exist."""

    plans: Sequence[TopicPlan]
    existing: Mapping[str, int]
    orphaned: Sequence[str]

    @property
    def missing(self) -> list[TopicPlan]:
        return [p for p in self.plans if p.name not in self.existing]

    @property
    def own(self) -> list[TopicPlan]:
        """Those that are there, and are nobody else's."""
        return [p for p in self.plans if p.name in self.existing and p.purpose not in _OF_OTHERS]

    def too_few(self) -> list[TopicPlan]:
        """Those that get more partitions."""
        return [p for p in self.own if p.purpose == "positions" and self.existing[p.name] < p.partitions]

    def wrong_partitions(self) -> dict[str, str]:
        """Why the numbers of partitions do not do, by topic."""
        return {
            p.name: f"the {p.purpose} topic {p.name} has {self.existing[p.name]} partitions, but its input "
            f"has {p.partitions}: state would go to the wrong place; give the input its old number of "
            "partitions, or start under a new application_id"
            for p in self.own
            if p.exact and self.existing[p.name] != p.partitions
        }

    def wrong_policies(self, described: Mapping[str, Described]) -> dict[str, str]:
        """Why what is described of topics does not do, by topic."""
        found = {p.name: _wrong_policy(p, described[p.name]) for p in self.own if p.name in described}
        return {name: text for name, text in found.items() if text}


def _wrong_policy(p: TopicPlan, properties: Described) -> str:
    compacted = p.config.get("cleanup.policy") == "compact"
    if isinstance(properties, KafkaSetupError):
        return str(properties) if compacted else ""
    policy = properties["cleanup.policy"].value
    if compacted and "compact" not in policy:
        return (
            f"the {p.purpose} topic {p.name} has cleanup.policy={policy}: state would be deleted; "
            "set cleanup.policy=compact on it"
        )
    if p.purpose in _READ_ONCE and "compact" in policy:
        return (
            f"the {p.purpose} topic {p.name} has cleanup.policy={policy}: records would be lost before "
            "they are read; set cleanup.policy=delete on it"
        )
    return ""


def ensure_topics(admin: AdminClient, topology: Topology, settings: Settings) -> dict[str, int]:
    """Create what is missing and check the rest; returns the number of partitions of every topic.

    Raises KafkaSetupError if a topic cannot be used or created, and KafkaException if the cluster
    cannot be reached or cannot answer at this moment.
    """
    found = survey(admin, topology, settings)
    if found.orphaned:
        what = "no stage uses them: delete them once you are sure, or bring the names of the stages back"
        _log.info("topics left behind", extra={"topics": found.orphaned, "what": what})
    if settings.embedded_broker:
        return _let_the_broker_create(admin, found.plans)
    if found.missing and not settings.create_topics:
        raise KafkaSetupError(missing_text(found.missing))
    for problem in found.wrong_partitions().values():
        raise KafkaSetupError(problem)
    for p in found.too_few():
        add_partitions(admin, p.name, p.partitions)
    described = describe(admin, [p.name for p in found.own])
    for problem in found.wrong_policies(described).values():
        raise KafkaSetupError(problem)
    take_every_time(admin, described, settings)
    create_topics(admin, found.missing, settings)
    return {p.name: p.partitions for p in found.plans}


def survey(admin: AdminClient, topology: Topology, settings: Settings) -> Survey:
    """What is there of what a topology needs; KafkaException if the cluster does not answer."""
    found = admin.list_topics(timeout=_REACH_SECONDS).topics
    existing = {name: len(topic.partitions) for name, topic in found.items() if topic.partitions}
    plans = plan(topology, existing, settings.partitions)
    return Survey(plans, existing, orphans(topology.application_id, existing, plans))


def missing_text(plans: Sequence[TopicPlan]) -> str:
    """What an operator is told of topics that are not there."""
    names = ", ".join(f"{p.name} ({p.partitions} partitions, {dict(p.config)})" for p in plans)
    hidden = "".join(_hidden(p) for p in plans)
    return f"these topics are missing: {names}; create them, or set create_topics=true{hidden}"


def _let_the_broker_create(admin: AdminClient, plans: Iterable[TopicPlan]) -> dict[str, int]:
    """The embedded broker has no admin requests; asking about a topic creates it."""
    return {p.name: len(admin.list_topics(p.name, _REQUEST_SECONDS).topics[p.name].partitions) for p in plans}


def add_partitions(admin: AdminClient, topic: str, partitions: int) -> None:
    """Let a topic have so many partitions. Others may do the same at the same time.

    Raises KafkaSetupError if the cluster does not allow it.
    """
    wanted = [NewPartitions(topic, partitions)]
    try:
        admin.create_partitions(wanted, request_timeout=_REQUEST_SECONDS)[topic].result()
    except KafkaException as error:
        if may_pass(error.args[0]):
            raise
        if error.args[0].code() != KafkaError.INVALID_PARTITIONS:
            raise KafkaSetupError(
                f"{topic} needs {partitions} partitions, as many as the topic whose positions it holds, and "
                f"they cannot be added: {error.args[0].str()}; allow this client Alter on topics with the "
                "application id as prefix, or run `kafka-topics.sh --bootstrap-server SERVERS "
                f"--alter --topic {topic} --partitions {partitions}` and start again"
            ) from error
    else:
        _log.info("partitions added", extra={"topic": topic, "partitions": partitions})


def create_topics(admin: AdminClient, plans: list[TopicPlan], settings: Settings) -> None:
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
    new = [NewTopic(p.name, p.partitions, factor, config=config_of(p, settings, instead)) for p in plans]
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


def config_of(p: TopicPlan, settings: Settings, instead: Mapping[str, str] = _NOTHING) -> dict[str, str]:
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
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        what += _hidden(p)
    wanted = f"{p.partitions} partitions, {dict(p.config)}"
    return KafkaSetupError(
        f"the {p.purpose} topic {p.name} ({wanted}) cannot be created: {error.str()}; {what}"
    )


def _hidden(p: TopicPlan) -> str:
    """What else may be missing of a topic of others: Kafka shows none to a client without a right to it."""
    if p.purpose not in _OF_OTHERS:
        return ""
    right = "Read" if p.purpose == "source" else "Write"
    return f"; if {p.name} is there, allow this client {right} on it, so that Kafka shows it"


def written_topics(sub: SubTopology, dead_letters: str) -> list[str]:
    """Every topic that a sub-topology writes."""
    topics = [target.topic for target in sub.targets]
    return list(dict.fromkeys([*topics, *(store.changelog for store in sub.stores), dead_letters]))
