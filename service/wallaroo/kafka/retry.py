"""Repeat calls that fail for reasons that pass."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from wallaroo.kafka.errors import OWN_CONNECTIONS

_log = logging.getLogger(__name__)

_ATTEMPTS = 20
# What passes as soon as this is not worth a line.
_UNSAID_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0

# KafkaError.retriable() is true for errors of a transactional producer only; these come without it.
_PASSING = frozenset(
    getattr(KafkaError, name)
    for name in (
        "_TIMED_OUT",
        "_TRANSPORT",
        "_WAIT_COORD",
        "_ALL_BROKERS_DOWN",
        "_NOENT",
        # What the client says of every partition while it knows no broker.
        "_UNKNOWN_PARTITION",
        "REQUEST_TIMED_OUT",
        "NETWORK_EXCEPTION",
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_FOR_PARTITION",
        "FENCED_LEADER_EPOCH",
        "UNKNOWN_LEADER_EPOCH",
        "OFFSET_NOT_AVAILABLE",
        "NOT_CONTROLLER",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "UNSTABLE_OFFSET_COMMIT",
    )
)

T = TypeVar("T")


def retry(call: Callable[[], T], failed: Callable[[KafkaError], None] | None = None) -> T:
    """The result of the call; `failed` is told of every failure that may pass.

    Raises KafkaException if the call has failed twenty times, or cannot succeed.
    """
    began = time.monotonic()
    for attempt in range(_ATTEMPTS - 1):
        try:
            return call()
        except KafkaException as error:
            if not may_pass(error.args[0]):
                raise
            # A coordinator that moves is no news, and while brokers are away the supervisor says so.
            now = time.monotonic()
            is_news = now - began >= _UNSAID_SECONDS and not OWN_CONNECTIONS.is_disturbed(now)
            level = logging.WARNING if is_news else logging.DEBUG
            _log.log(level, "trying again", extra={"error": error.args[0].str()})
            if failed is not None:
                failed(error.args[0])
            time.sleep(min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS))
    return call()


def may_pass(error: KafkaError) -> bool:
    """Whether the same call may succeed a moment later."""
    return error.retriable() or (error.code() in _PASSING and not error.txn_requires_abort())
