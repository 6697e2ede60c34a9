"""What Kafka forbids us is told as what to allow."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from wallaroo.errors import CommitError, KafkaSetupError
from wallaroo.kafka.errors import classify_event, missing_permission


def refused(code):
    return KafkaException(KafkaError(code, "Broker: no"))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "set processing_guarantee=at_least_once"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "topics"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "groups"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "IdempotentWrite"),
        (KafkaError.OFFSET_METADATA_TOO_LARGE, "set offset.metadata.max.bytes of the brokers to 4096"),
    ],
)
def test_a_lack_of_permission_says_what_to_allow(code, advice):
    error = missing_permission(refused(code))
    assert str(error).startswith("Broker: no; ")
    assert advice in str(error)


def test_topics_that_may_not_be_written_are_named_if_they_are_known():
    error = missing_permission(refused(KafkaError.TOPIC_AUTHORIZATION_FAILED), {"out", "alerts"})
    assert "allow this client Write and Describe on alerts, out" in str(error)
    assert missing_permission(error) is error


def test_a_group_that_may_not_be_joined_is_told_as_a_group():
    class Event:
        error = staticmethod(lambda: KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED, "JoinGroup failed"))
        topic = staticmethod(lambda: None)

    with pytest.raises(KafkaSetupError, match="Read on groups with the application id as prefix"):
        classify_event(Event())


def test_a_member_whose_name_another_process_has_taken_says_so():
    class Event:
        error = staticmethod(
            lambda: KafkaError(
                KafkaError._FATAL,
                "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id",
            )
        )
        topic = staticmethod(lambda: None)

    with pytest.raises(
        CommitError, match="another process has joined the group under the name of this member"
    ):
        classify_event(Event())


def test_a_commit_that_failed_for_lack_of_permission_is_one_too():
    error = CommitError("the transactional producer cannot go on")
    error.__cause__ = refused(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    assert "transactional ids" in str(missing_permission(error))


@pytest.mark.parametrize("error", [refused(KafkaError._TIMED_OUT), CommitError("fenced"), ValueError("x")])
def test_everything_else_is_something_else(error):
    assert missing_permission(error) is None
