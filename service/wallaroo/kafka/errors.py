"""Errors of the client: what events mean, what mends a lack of permission, and what is logged."""

import logging
import re
from collections.abc import Iterable
from enum import Enum
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import Clock, SystemClock
from wallaroo.errors import KafkaSetupError
from wallaroo.observability.logging import KAFKA_LOGGER

_log = logging.getLogger(__name__)
CLIENT_LOG = logging.getLogger(KAFKA_LOGGER)

_PREFIX = "with the application id as prefix"
_ADVICE = {
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "allow this client Write and Describe on transactional "
    f"ids {_PREFIX}, or set processing_guarantee=at_least_once",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow this client Read and Write on topics "
    f"{_PREFIX}, and on those of its sources and sinks",
    KafkaError.GROUP_AUTHORIZATION_FAILED: f"allow this client Read on groups {_PREFIX}",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "allow this client IdempotentWrite on the cluster",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "set transaction_timeout_ms to at most the broker's "
    "transaction.max.timeout.ms",
    KafkaError.INVALID_SESSION_TIMEOUT: "set session_timeout_ms to what the broker allows, from "
    "group.min.session.timeout.ms to group.max.session.timeout.ms",
    KafkaError.OFFSET_METADATA_TOO_LARGE: "set offset.metadata.max.bytes of the brokers to 4096, which is "
    "Kafka's default, or more: offsets are committed with the ids of the topics that they belong to",
}
_READING_REFUSED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)

_QUIET_SECONDS = 30.0
# What differs from one time to the next: numbers, and which of the client's threads it was.
_VARYING = re.compile(r"\d+|\[thrd:[^]]*\]:( \S+:)?")
# What these say is logged where such a transaction is aborted, or such a producer given up.
_KNOWN = re.compile(r"TXNERR |.*(enable\.gapless\.guarantee is experimental|gap-less guarantee$)")


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


class Repetitions(logging.Filter):
    """Drops a message that has passed within the last half minute; numbers in it do not count."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if _KNOWN.match(text):
            return False
        kind, now = _VARYING.sub("", text), self._clock.monotonic()
        if now - self._passed.get(kind, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        self._passed[kind] = now
        return True


def log_client_error(error: KafkaError) -> None:
    """For a client's `error_cb`: the client recovers from these by itself, or raises them again later."""
    # The client's own log has these already.
    if error.code() != KafkaError._TRANSPORT:  # noqa: SLF001 - the client's public name for it
        CLIENT_LOG.warning("%s", error.str())


CLIENT_LOG.addFilter(Repetitions(SystemClock()))
