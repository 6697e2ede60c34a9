"""What Kafka forbids this client, as an error that says what to allow."""

from collections.abc import Iterable

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
    found = (error, error.__cause__)
    return first_forbidden(each.args[0] for each in found if isinstance(each, KafkaException))


def first_forbidden(errors: Iterable[KafkaError]) -> KafkaSetupError | None:
    """The error to end with where one of these is a lack of permission."""
    for error in errors:
        if error.code() in _ADVICE:
            return KafkaSetupError(f"{error.str()}; {_ADVICE[error.code()]}")
    return None
