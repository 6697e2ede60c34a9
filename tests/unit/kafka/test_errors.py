"""What Kafka forbids us is told as what to allow."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from wallaroo.errors import CommitError
from wallaroo.kafka.errors import missing_permission


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


def test_a_commit_that_failed_for_lack_of_permission_is_one_too():
    error = CommitError("the transactional producer cannot go on")
    error.__cause__ = refused(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    assert "transactional ids" in str(missing_permission(error))


@pytest.mark.parametrize("error", [refused(KafkaError._TIMED_OUT), CommitError("fenced"), ValueError("x")])
def test_everything_else_is_something_else(error):
    assert missing_permission(error) is None
