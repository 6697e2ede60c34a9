"""Events of the client that come in the guise of messages: what they mean, and which are fatal."""

import logging
from enum import Enum
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from wallaroo.errors import KafkaSetupError

_log = logging.getLogger(__name__)

_FORBIDDEN = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)


class Event(Enum):
    """What a message that carries an error means."""

    END_OF_PARTITION = "end of partition"
    OUT_OF_RANGE = "out of range"
    PASSING = "passing"


def understand(message: Any) -> Event:
    """The meaning of a message with an error.

    Raises KafkaSetupError where the cluster refuses us, KafkaException where the client cannot go on.
    """
    error: KafkaError = message.error()
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
        return Event.END_OF_PARTITION
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the client's public name for it
        return Event.OUT_OF_RANGE
    if error.code() in _FORBIDDEN:
        raise KafkaSetupError(f"{error.str()}: allow this client to read {message.topic()} in its group")
    # As a message, a fatal error has lost its mark: `fatal()` is false.
    if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - the client's public name for it
        raise KafkaException(error)
    _log.warning("consumer event", extra={"topic": message.topic(), "error": error.str()})
    return Event.PASSING
