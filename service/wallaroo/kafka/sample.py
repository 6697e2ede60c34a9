"""Samples of a backlog: how many records an offset holds on average, between two offsets of a partition.

An offset is not a record: a message may be a batch of records, or none of anybody's (a control record), and
the ends of transactions, aborted records and compaction leave gaps. A short backlog is read as a whole, of a
longer one so many stretches, spread evenly.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from confluent_kafka import Consumer, TopicPartition

from wallaroo.clock import Clock
from wallaroo.kafka.offsets import Place

# Part of a backlog may have been written at a hundred times the pace of the rest: with 16, the average of
# the two was wrong by a third.
_STRETCHES = 64
_STRETCH_OFFSETS = 24
_READ_SECONDS = 2.0
_POLL_SECONDS = 0.1
# Spreads the stretches, so that they do not fall in step with what repeats.
_GOLDEN = 0.618

T = TypeVar("T")


def stretches(start: int, end: int) -> list[tuple[int, int]]:
    """Which offsets to read, as (first, end): all of a short backlog, some of a long one."""
    offsets = end - start
    if offsets <= _STRETCHES * _STRETCH_OFFSETS:
        return [(start, end)] if offsets > 0 else []
    part = offsets / _STRETCHES
    room = part - _STRETCH_OFFSETS
    firsts = [start + int(n * part + (n * _GOLDEN % 1) * room) for n in range(_STRETCHES)]
    return [(first, first + _STRETCH_OFFSETS) for first in firsts]


def spread(found: Sequence[T]) -> list[T]:
    """The same in an order in which the first few are spread evenly, too: time may run out."""
    bits = max(len(found) - 1, 0).bit_length()
    return [found[n] for n in sorted(range(len(found)), key=lambda n: f"{n:0{bits}b}"[::-1])]


class Sampler:
    """Reads samples with a consumer of its own, opened once it is needed; for one thread."""

    def __init__(self, open_consumer: Callable[[], Consumer], clock: Clock) -> None:
        self._open_consumer = open_consumer
        self._clock = clock
        self._consumer: Consumer | None = None

    def records_per_offset(
        self, place: Place, start: int, end: int, records_in: Callable[[Any], int]
    ) -> float | None:
        """The average between two offsets; None if it could not be read in time.

        Raises KafkaException if the client cannot go on.
        """
        records = offsets = 0
        deadline = self._clock.monotonic() + _READ_SECONDS
        for first, last in spread(stretches(start, end)):
            counted = self._count(place, first, last, records_in, deadline)
            if counted is None:
                break
            records, offsets = records + counted, offsets + last - first
        return records / offsets if offsets else None

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _count(
        self, place: Place, first: int, end: int, records_in: Callable[[Any], int], deadline: float
    ) -> int | None:
        """How many records there are from one offset to another; None if there is no time left."""
        consumer = self._consumer = self._consumer or self._open_consumer()
        consumer.assign([TopicPartition(*place, first)])
        found = 0
        while self._clock.monotonic() < deadline:
            message: Any
            for message in consumer.consume(_STRETCH_OFFSETS, _POLL_SECONDS):
                # What is left of the stretch before lies in front of this one.
                if (message.topic(), message.partition()) != place or message.offset() < first:
                    continue
                if message.error() is None and message.offset() < end:
                    found += records_in(message)
                # The end of what is committed comes as an event.
                if message.error() is not None or message.offset() >= end - 1:
                    consumer.unassign()
                    return found
        return None
