"""What the answers of a cluster to our admin requests mean: say what to change, or try again."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.samples import KAFKA_SINK, compiled, source, total, user
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topics import ensure_topics
from wallaroo.settings import Settings

SETTINGS = Settings(create_topics=True)
TOPOLOGY = compiled(source().key_by(user).to(total), KAFKA_SINK)
CHANGELOG = "some-app-total-changelog"


def answer(value):
    future = Future()
    if isinstance(value, KafkaError):
        future.set_exception(KafkaException(value))
    else:
        future.set_result(value)
    return future


class FakeAdmin:
    """A cluster that has some topics and answers every request alike."""

    def __init__(self, topics=(), created=None, described=None):
        self._topics, self._created, self._described = topics, created, described

    def list_topics(self, timeout):
        return SimpleNamespace(topics={name: SimpleNamespace(partitions=range(4)) for name in self._topics})

    def create_topics(self, new, request_timeout):
        return {topic.topic: answer(self._created) for topic in new}

    def describe_configs(self, resources, request_timeout):
        return {resource: answer(self._described) for resource in resources}


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "set create_topics=false"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "set create_topics=false"),
        (KafkaError.POLICY_VIOLATION, "see the broker's log"),
        (KafkaError.INVALID_REPLICATION_FACTOR, "replication_factor"),
        (KafkaError.INVALID_CONFIG, "topic_config"),
    ],
)
def test_a_cluster_that_will_not_create_a_topic_is_left_with_advice(code, advice):
    with pytest.raises(KafkaSetupError, match="cannot be created") as refused:
        ensure_topics(FakeAdmin(created=KafkaError(code)), TOPOLOGY, SETTINGS)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_CONTROLLER,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    ],
)
def test_a_cluster_that_cannot_create_a_topic_at_this_moment_is_asked_again(code):
    with pytest.raises(KafkaException):
        ensure_topics(FakeAdmin(created=KafkaError(code)), TOPOLOGY, SETTINGS)


def test_a_topic_that_somebody_else_has_just_created_is_there():
    admin = FakeAdmin(created=KafkaError(KafkaError.TOPIC_ALREADY_EXISTS))
    assert ensure_topics(admin, TOPOLOGY, SETTINGS)[CHANGELOG] == SETTINGS.partitions


def test_a_configuration_that_may_not_be_read_is_no_cluster_that_is_away():
    admin = FakeAdmin(topics=[CHANGELOG], described=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(KafkaSetupError, match=f"{CHANGELOG} cannot be read.*DescribeConfigs"):
        ensure_topics(admin, TOPOLOGY, SETTINGS)


def test_a_configuration_that_cannot_be_read_at_this_moment_is_asked_for_again():
    admin = FakeAdmin(topics=[CHANGELOG], described=KafkaError(KafkaError._TIMED_OUT))
    with pytest.raises(KafkaException):
        ensure_topics(admin, TOPOLOGY, SETTINGS)
