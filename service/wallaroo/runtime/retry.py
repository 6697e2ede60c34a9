"""Repeat a call while Kafka says that this may help."""

import logging
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

_log = logging.getLogger(__name__)

# Each attempt takes as long as the call's own time-out.
_ATTEMPTS = 20

T = TypeVar("T")


def persist(call: Callable[[], T]) -> T:
    """The call's result; KafkaException as soon as an error is not retriable, or after twenty that are."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return call()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
            _log.warning("retrying", extra={"error": error.args[0].str()})
    return call()
