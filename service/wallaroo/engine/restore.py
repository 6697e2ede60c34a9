"""Restore stores from their changelogs, beside the running tasks and outside of the group.

Rules for whoever edits this file:
1. The end is the high watermark, taken after the group's offsets are known to be stable: a transaction
   of the partition's last owner may still be about to become visible below it.
2. A partition is done when its end-of-partition event says so, never by counting records: transaction
   markers, compaction and aborted records leave gaps.
3. Nothing is decoded here.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from wallaroo.engine.transaction import Point, Probe
from wallaroo.kafka.errors import Event, understand
from wallaroo.kafka.retry import persist
from wallaroo.record import Partition
from wallaroo.state.store import KeyedStore

_log = logging.getLogger(__name__)

_LIST_SIZE = 10_000
# A list that does not fill up is waited for this long.
_POLL_SECONDS = 0.02
_REQUEST_SECONDS = 30.0


@dataclass(slots=True)
class Restoration:
    """The stores of one task-to-be; cancelled when its partition is revoked meanwhile.

    `remaining` and `records` say, by store, how far its restore has come.
    """

    partition: Partition
    start: int
    stores: dict[str, KeyedStore]
    remaining: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Reading:
    """One changelog partition on its way into one store."""

    restoration: Restoration
    store: KeyedStore
    end: int
    position: int = 0
    records: int = 0


# Messages are typed loosely by the client: a topic and a partition that cannot be None here.
Message = Any
_Readings = dict[tuple[str, int], _Reading]


class Restorer:
    """Restores one assignment's worth of partitions at a time, each in a thread of its own."""

    def __init__(
        self,
        changelogs: dict[str, str],
        open_consumer: Callable[[], Consumer],
        admin: AdminClient,
        done: Callable[[Restoration | BaseException], None],
        at: Probe,
    ) -> None:
        self._changelogs = changelogs
        self._open_consumer = open_consumer
        self._admin = admin
        self._done = done
        self._at = at

    def start(self, restorations: Sequence[Restoration]) -> None:
        """Begin; `done` is called once for each restoration that was not cancelled, or with an error."""
        threading.Thread(target=self._run, args=(restorations,), name="restore", daemon=True).start()

    def _run(self, restorations: Sequence[Restoration]) -> None:
        try:
            self._restore(restorations)
        except BaseException as error:  # handed to the loop, which raises it
            self._done(error)

    def _restore(self, restorations: Sequence[Restoration]) -> None:
        self._started = time.monotonic()
        readings = self._readings(restorations)
        for restoration in restorations:
            self._finish(restoration, readings)
        if readings:
            consumer = self._open_consumer()
            try:
                consumer.assign([TopicPartition(topic, number, 0) for topic, number in readings])
                self._read(consumer, readings)
            finally:
                consumer.close()
        details = {"partitions": sorted(r.partition.number for r in restorations)}
        _log.info("restored", extra={**details, "seconds": round(time.monotonic() - self._started, 3)})

    def _readings(self, restorations: Sequence[Restoration]) -> _Readings:
        """What there is to read; an empty changelog is none of it."""
        ends = self._ends(restorations)
        return {
            (topic, restoration.partition.number): _Reading(restoration, restoration.stores[name], end)
            for restoration in restorations
            for name, topic in self._changelogs.items()
            if (end := ends[topic, restoration.partition.number])
        }

    def _ends(self, restorations: Sequence[Restoration]) -> dict[tuple[str, int], int]:
        wanted = [
            TopicPartition(topic, restoration.partition.number)
            for restoration in restorations
            for topic in self._changelogs.values()
        ]
        if not wanted:
            return {}
        latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return persist(lambda: self._ask_ends(dict.fromkeys(wanted, latest)))

    def _ask_ends(self, wanted: dict[TopicPartition, OffsetSpec]) -> dict[tuple[str, int], int]:
        for topic in self._changelogs.values():
            # Without a fresh look, the client asks in the name of a leader that may have been replaced.
            self._admin.list_topics(topic, _REQUEST_SECONDS)
        futures = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_REQUEST_SECONDS
        )
        return {(tp.topic, tp.partition): future.result().offset for tp, future in futures.items()}

    def _read(self, consumer: Consumer, readings: _Readings) -> None:
        while readings := {at: r for at, r in readings.items() if not r.restoration.cancelled.is_set()}:
            self._at(Point.DURING_RESTORE)
            for message in consumer.consume(_LIST_SIZE, _POLL_SECONDS):
                at: Any = (message.topic(), message.partition())
                reading = readings.get(at)
                if reading is not None and _is_the_end(message, reading):
                    del readings[at]
                    reading.restoration.records[reading.store.name] = reading.records
                    self._finish(reading.restoration, readings)
            _note_progress(readings)

    def _finish(self, restoration: Restoration, unread: _Readings) -> None:
        if not any(reading.restoration is restoration for reading in unread.values()):
            restoration.seconds = time.monotonic() - self._started
            self._done(restoration)


def _note_progress(readings: _Readings) -> None:
    for reading in readings.values():
        reading.restoration.remaining[reading.store.name] = reading.end - reading.position


def _is_the_end(message: Message, reading: _Reading) -> bool:
    """Take one message of a changelog; True for the event that says there is no more."""
    if message.error() is None:
        reading.position = message.offset()
        reading.records += 1
        reading.store.restore(message.key(), message.value())
        return False
    return understand(message) is Event.END_OF_PARTITION and int(message.offset()) >= reading.end
