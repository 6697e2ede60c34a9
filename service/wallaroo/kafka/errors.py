"""Errors of the client: what a consumer's event means, and what a lack of permission is mended by."""

import logging
from collections.abc import Iterable
from enum import Enum
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from wallaroo.errors import KafkaSetupError

_log = logging.getLogger(__name__)

_PREFIX = "with the application id as prefix"
_ADVICE = {
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "allow this client Write and Describe on transactional "
    f"ids {_PREFIX}, or set processing_guarantee=at_least_once",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow this client Read and Write on topics "
    f"{_PREFIX}, and on those of its sources and sinks",
    KafkaError.GROUP_AUTHORIZATION_FAILED: f"allow this client Read on groups {_PREFIX}",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "allow this client IdempotentWrite on the cluster",
}
_READING_REFUSED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)


class Event(Enum):
    """What a message that carries an error means."""

    END_OF_PARTITION = "end of partition"
    OUT_OF_RANGE = "out of range"
    PASSING = "passing"


def classify_event(message: Any) -> Event:
    """What a consumer's message with an error means.

    Raises KafkaSetupError if the cluster refuses this client, KafkaException if the client cannot go on.
    """
    error: KafkaError = message.error()
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
        return Event.END_OF_PARTITION
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the client's public name for it
        return Event.OUT_OF_RANGE
    if error.code() in _READING_REFUSED:
        raise KafkaSetupError(f"{error.str()}: allow this client to read {message.topic()} in its group")
    # As a message, a fatal error has lost its mark: `fatal()` is false.
    if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - the client's public name for it
        raise KafkaException(error)
    _log.warning("consumer event", extra={"topic": message.topic(), "error": error.str()})
    return Event.PASSING


def missing_permission(error: BaseException) -> KafkaSetupError | None:
    """The error to end with if this one comes from a lack of permission: trying again would not help."""
    chain = (error, error.__cause__)
    return first_missing_permission(each.args[0] for each in chain if isinstance(each, KafkaException))


def first_missing_permission(errors: Iterable[KafkaError]) -> KafkaSetupError | None:
    """The error to end with if one of these is a lack of permission."""
    for error in errors:
        if error.code() in _ADVICE:
            return KafkaSetupError(f"{error.str()}; {_ADVICE[error.code()]}")
    return None
