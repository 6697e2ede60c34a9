"""The cluster of an application as a command asks it: an answer within seconds, or one line of text."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.engine.group_offsets import Cluster
from wallaroo.errors import CommitError, KafkaSetupError, SettingsError
from wallaroo.kafka.clients import admin_client
from wallaroo.kafka.errors import CLIENT_LOG, OWN_CONNECTIONS, missing_permission
from wallaroo.kafka.members import GroupMembers
from wallaroo.kafka.retry import may_pass
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology

# Behind the application id, so that rights with that prefix hold: who asks, beside the instances.
CLIENT_ID = "command"
_REACH_SECONDS = 5.0
_REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reached:
    """A cluster that answers, and the topics that it had then: how many partitions each."""

    settings: Settings
    admin: AdminClient
    topics: Mapping[str, int]
    client_id: str


@contextmanager
def asking(settings: Settings) -> Iterator[AdminClient]:
    """A client of a cluster that answers; whatever Kafka says no to inside becomes a KafkaSetupError.

    Raises SettingsError for the embedded broker, which has no admin requests.
    """
    with answered(settings):
        yield reach(settings, f"wallaroo-{CLIENT_ID}").admin


def reach(settings: Settings, client_id: str) -> Reached:
    """Ask a cluster for its topics.

    Raises SettingsError for the embedded broker, which has no admin requests, and KafkaSetupError if the
    cluster does not answer.
    """
    if settings.embedded_broker:
        raise SettingsError(
            "the embedded broker answers no such questions; leave out embedded_broker, and name a cluster "
            "with --bootstrap-servers"
        )
    with answered(settings):
        return connect(settings, client_id)


def connect(settings: Settings, client_id: str) -> Reached:
    """A cluster with the topics that it has now. Raises KafkaException if it does not answer."""
    admin = admin_client(settings, client_id)
    return Reached(settings, admin, topics_of(admin), client_id)


@contextmanager
def answered(settings: Settings) -> Iterator[None]:
    """As `explained`, in a process that does nothing else: clients log nothing."""
    was_disabled = CLIENT_LOG.disabled
    CLIENT_LOG.disabled = True
    try:
        with explained(settings):
            yield
    finally:
        CLIENT_LOG.disabled = was_disabled


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Whatever Kafka says no to inside, or does not answer, is a KafkaSetupError."""
    try:
        yield
    except KafkaException as error:
        raise _refusal(settings, error) from error
    except (TimeoutError, CommitError) as error:
        raise KafkaSetupError(f"Kafka at {settings.bootstrap_servers}: {error}; do the same again") from error


def cluster_of(topology: Topology, settings: Settings, admin: AdminClient) -> Cluster:
    """The groups of an application, as one sees them who is none of its instances."""
    members = GroupMembers(admin, _REQUEST_SECONDS)
    return Cluster(settings, admin, members, topology.application_id, CLIENT_ID)


def _refusal(settings: Settings, error: KafkaException) -> KafkaSetupError:
    missing = missing_permission(error)
    if missing is not None:
        return missing
    reason, servers = error.args[0].str(), settings.bootstrap_servers
    if not may_pass(error.args[0]):
        return KafkaSetupError(f"Kafka at {servers} refuses: {reason}; see the broker's log")
    troubles = OWN_CONNECTIONS.troubles(time.monotonic())
    advice = troubles[0].text if troubles else "see bootstrap_servers, and whether the brokers run"
    return KafkaSetupError(f"Kafka cannot be reached at {servers}: {reason}; {advice}")


def topics_of(admin: AdminClient) -> dict[str, int]:
    """The topics that a cluster has now, each with its number of partitions."""
    found: Mapping[str, Any] = admin.list_topics(timeout=_REACH_SECONDS).topics
    return {name: len(topic.partitions) for name, topic in found.items() if topic.partitions}
