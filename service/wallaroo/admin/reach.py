"""Reaching an application's cluster: within seconds, or one line that says why not."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.errors import CommitError, KafkaSetupError
from wallaroo.kafka.clients import admin_client
from wallaroo.kafka.errors import CLIENT_LOG, OWN_CONNECTIONS, missing_permission
from wallaroo.settings import Settings

_REACH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of an application, and the topics that it has: how many partitions each."""

    settings: Settings
    admin: AdminClient
    topics: Mapping[str, int]
    client_id: str


def reach(settings: Settings, client_id: str) -> Cluster:
    """Ask the cluster for its topics; raises KafkaSetupError if it does not answer."""
    if settings.embedded_broker:
        raise KafkaSetupError("the embedded broker keeps nothing: there is nothing to look at or to change")
    with in_one_line(settings):
        admin = admin_client(settings, client_id)
        return Cluster(settings, admin, topics_of(admin), client_id)


def topics_of(admin: AdminClient) -> dict[str, int]:
    """The topics that a cluster has now, each with its number of partitions."""
    found: Mapping[str, Any] = admin.list_topics(timeout=_REACH_SECONDS).topics
    return {name: len(topic.partitions) for name, topic in found.items() if topic.partitions}


@contextmanager
def in_one_line(settings: Settings) -> Iterator[None]:
    """Raise what a client raises as KafkaSetupError: what, where, and what to do; clients log nothing."""
    servers, was_disabled = settings.bootstrap_servers, CLIENT_LOG.disabled
    CLIENT_LOG.disabled = True
    try:
        yield
    except KafkaException as error:
        if refusal := missing_permission(error):
            raise refusal from error
        troubles = OWN_CONNECTIONS.troubles(time.monotonic())
        advice = troubles[0].text if troubles else "see bootstrap_servers, and whether the brokers run"
        raise KafkaSetupError(
            f"Kafka at {servers} does not answer as it should: {error.args[0].str()}; {advice}; then do the "
            "same again"
        ) from error
    except CommitError as error:
        raise KafkaSetupError(f"Kafka at {servers}: {error}; do the same again") from error
    finally:
        CLIENT_LOG.disabled = was_disabled
