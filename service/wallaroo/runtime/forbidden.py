"""What Kafka forbids this client, as an error that says what to allow."""

from confluent_kafka import KafkaError, KafkaException

from wallaroo.errors import KafkaSetupError

_PREFIX = "with the application id as prefix"
_ADVICE = {
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "allow this client Write and Describe on transactional "
    f"ids {_PREFIX}, or set processing_guarantee=at_least_once",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow this client Read and Write on topics "
    f"{_PREFIX}, and on those of its sources and sinks",
    KafkaError.GROUP_AUTHORIZATION_FAILED: f"allow this client Read on groups {_PREFIX}",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "allow this client IdempotentWrite on the cluster",
}


def forbidden(error: BaseException) -> KafkaSetupError | None:
    """The error to end with where a lack of permission is behind this one: trying again is no use."""
    for candidate in (error, error.__cause__):
        if isinstance(candidate, KafkaException):
            kafka: KafkaError = candidate.args[0]
            if kafka.code() in _ADVICE:
                return KafkaSetupError(f"{kafka.str()}; {_ADVICE[kafka.code()]}")
    return None
