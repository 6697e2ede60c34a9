"""The log of the Kafka client, without what it repeats again and again while a broker is away."""

import logging
import re

from confluent_kafka import KafkaError

from wallaroo.clock import Clock, SystemClock
from wallaroo.observability.logging import KAFKA_LOGGER

CLIENT_LOG = logging.getLogger(KAFKA_LOGGER)

_QUIET_SECONDS = 30.0
# What differs from one time to the next: numbers, and which of the client's threads it was.
_VARYING = re.compile(r"\d+|\[thrd:[^]]*\]:( \S+:)?")
# What these say is logged where such a transaction is aborted, or such a producer given up.
_KNOWN = re.compile(r"TXNERR |.*(enable\.gapless\.guarantee is experimental|gap-less guarantee$)")


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
