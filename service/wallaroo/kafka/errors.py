"""Errors of the client: what events mean, what mends a lack of permission, and what is logged."""

import logging
import re
from collections.abc import Collection, Iterable
from enum import Enum
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import Clock, SystemClock
from wallaroo.errors import CommitError, KafkaSetupError
from wallaroo.kafka.connections import Connections
from wallaroo.observability.logging import KAFKA_LOGGER

_log = logging.getLogger(__name__)
CLIENT_LOG = logging.getLogger(KAFKA_LOGGER)
# Of all clients of this process that talk to the application's own cluster.
OWN_CONNECTIONS = Connections()

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

# What Kafka answers to a member that does not know yet that its group has rebalanced.
_OUTDATED = (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.STALE_MEMBER_EPOCH)

# The client's public names.
_OF_CONNECTIONS = {
    getattr(KafkaError, name)
    for name in ("_TRANSPORT", "_ALL_BROKERS_DOWN", "_RESOLVE", "_AUTHENTICATION", "_SSL")
}

# A fatal error has lost its code too.
_FENCED_TEXT = "fenced by other consumer with same group.instance.id"
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

    Raises KafkaSetupError if the cluster refuses this client, CommitError if it is fenced, and KafkaException
    if it cannot go on for another reason.
    """
    error: KafkaError = message.error()
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
        return Event.END_OF_PARTITION
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the client's public name for it
        return Event.OUT_OF_RANGE
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED and message.topic():
        raise KafkaSetupError(f"{error.str()}; allow this client Read on the topic {message.topic()}")
    if (refusal := first_missing_permission([error])) is not None:
        raise refusal
    # As a message, a fatal error has lost its mark: `fatal()` is false.
    if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - the client's public name for it
        if _FENCED_TEXT in error.str():
            raise CommitError(
                "another process has joined the group under the name of this member, so Kafka puts this one "
                "out: a second service of this application under the same instance, which needs a name of "
                "its own, or a worker that was given up while it stood still"
            )
        raise KafkaException(error)
    # What concerns no topic is about the membership: GroupMember says it.
    level = logging.WARNING if message.topic() else logging.DEBUG
    _log.log(level, "consumer event", extra={"topic": message.topic(), "error": error.str()})
    return Event.PASSING


def missing_permission(error: BaseException, unwritable: Collection[str] = ()) -> KafkaSetupError | None:
    """The error to end with if this one comes from a lack of permission: trying again would not help.

    `unwritable` are the topics that the client was not allowed to write, if that is known.
    """
    if isinstance(error, KafkaSetupError):
        # It says so already, and better.
        return error
    chain = (error, error.__cause__)
    found = (each.args[0] for each in chain if isinstance(each, KafkaException))
    return first_missing_permission(found, unwritable)


def first_missing_permission(
    errors: Iterable[KafkaError], unwritable: Collection[str] = ()
) -> KafkaSetupError | None:
    """The error to end with if one of these is a lack of permission."""
    for error in errors:
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED and unwritable:
            topics = ", ".join(sorted(unwritable))
            return KafkaSetupError(f"{error.str()}; allow this client Write and Describe on {topics}")
        if error.code() in _ADVICE:
            return KafkaSetupError(f"{error.str()}; {_ADVICE[error.code()]}")
    return None


def is_outdated(error: KafkaError) -> bool:
    """Whether the group has rebalanced since the metadata was taken that Kafka refuses here."""
    return error.code() in _OUTDATED


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
    # What breaks connections is in the client's own log, from where the supervisor has it.
    level = logging.DEBUG if error.code() in _OF_CONNECTIONS else logging.WARNING
    CLIENT_LOG.log(level, "%s", error.str())


CLIENT_LOG.addFilter(Repetitions(SystemClock()))
