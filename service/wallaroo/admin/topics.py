"""What `run` would do to the topics of an application, and what is there already. Nothing is changed here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from confluent_kafka.admin import AdminClient

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topic_config import Described, command_to_set, describe, refused_times, set_on_topic
from wallaroo.kafka.topics import Survey, TopicPlan, config_of, ensure_topics, missing_text, survey
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology

_REQUEST_SECONDS = 10.0

Action = Literal["create", "add partitions", "alter", "refuse", "nothing"]
"""What a start would do about a topic: it goes on after all but `refuse`."""


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic that is there; the properties are those that are set on the topic itself."""

    partitions: int
    replication_factor: int
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlannedTopic:
    """One topic: what it is to be, what is there, what a start would do, and what it would say.

    `found` is None if the topic is missing, `replication_factor` is -1 where the broker chooses it.
    """

    name: str
    purpose: str
    action: Action
    partitions: int
    replication_factor: int
    properties: Mapping[str, str]
    found: FoundTopic | None = None
    problem: str = ""


def planned(admin: AdminClient, topology: Topology, settings: Settings) -> tuple[list[PlannedTopic], Survey]:
    """Every topic of an application, and the survey that it is from."""
    found = survey(admin, topology, settings)
    described = describe(admin, [p.name for p in found.own])
    metadata = admin.list_topics(timeout=_REQUEST_SECONDS).topics
    topics = []
    for p in found.plans:
        action, problem = verdict(p, found, described, settings)
        there = None
        if p.name in found.existing and p.name in metadata:
            replicas = [len(each.replicas) for each in metadata[p.name].partitions.values()]
            there = FoundTopic(len(replicas), min(replicas), set_on_topic(described.get(p.name, {})))
        factor, config = settings.replication_factor, config_of(p, settings)
        topics.append(PlannedTopic(p.name, p.purpose, action, p.partitions, factor, config, there, problem))
    return topics, found


def problems(topics: list[PlannedTopic], found: Survey) -> list[str]:
    """What is missing and what differs, in the words of a start."""
    missing = [missing_text(found.missing)] if found.missing else []
    return missing + [topic.problem for topic in topics if topic.problem and topic.found is not None]


def create(admin: AdminClient, topology: Topology, settings: Settings) -> list[PlannedTopic]:
    """Do what a start does; returns what was missing or has changed.

    Raises KafkaSetupError if a topic cannot be used or created.
    """
    before, _ = planned(admin, topology, settings)
    ensure_topics(admin, topology, settings)
    return [topic for topic in before if topic.action != "nothing"]


def verdict(
    p: TopicPlan, found: Survey, described: Mapping[str, Described], settings: Settings
) -> tuple[Action, str]:
    """What a start would do about a topic, and what there is to say."""
    if p.name not in found.existing:
        return ("create", "") if settings.create_topics else ("refuse", missing_text([p]))
    wrong = found.wrong_partitions().get(p.name) or found.wrong_policies(described).get(p.name)
    if wrong:
        return "refuse", wrong
    what = f"the {p.purpose} topic {p.name}"
    if p in found.too_few():
        return "add partitions", f"{what} has {found.existing[p.name]} partitions, and needs {p.partitions}"
    properties = described.get(p.name)
    if properties is None or isinstance(properties, KafkaSetupError):
        return "nothing", ""
    # What an operator has chosen stays.
    _chosen, missing = refused_times(properties, settings)
    if not missing:
        return "nothing", ""
    text = f"{what} may refuse times; to change it: {command_to_set(p.name, missing, settings)}"
    return "alter" if settings.create_topics else "nothing", text
