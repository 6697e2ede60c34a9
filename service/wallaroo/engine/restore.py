"""Restore stores from their changelogs, beside the running tasks and outside of the group.

Rules for whoever edits this file:
1. The end is the high watermark, taken after the group's offsets are known to be stable: a transaction
   of the partition's last owner may still be about to become visible below it.
2. A partition is done when its end-of-partition event says so, never by counting records.
3. Nothing is decoded here.
4. What has been restored is handed to the loop's thread; only that one knows whether it is still wanted.
"""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.engine.transaction import Probe, ProbePoint
from wallaroo.errors import KafkaSetupError, UnreadableStateError
from wallaroo.kafka.group_member import Assigned
from wallaroo.kafka.offsets import EndReader, Place, end_offsets, log_starts
from wallaroo.kafka.retry import retry
from wallaroo.kafka.topics import add_partitions
from wallaroo.record import Partition
from wallaroo.serde.formats import is_foreign
from wallaroo.state.store import END_KEY, POSITION_KEY, KeyedStore
from wallaroo.task.position import Position, RestoredChangelog
from wallaroo.task.stores import StateCodecs, new_stores
from wallaroo.topology.model import SubTopology

_log = logging.getLogger(__name__)

_POLL_SIZE = 10_000
# How long one poll waits for so many messages.
_POLL_SECONDS = 0.02
_REQUEST_SECONDS = 30.0
# How long to look for the offset of a state that cannot be read: without it, the place is key and partition.
_MOST_SECONDS = 20.0


@dataclass(slots=True)
class Restoration:
    """The stores of one task-to-be; cancelled if its partition is revoked meanwhile.

    `remaining` and `records` say, by store, how far its restore has come. `start` is where the task starts,
    and `commit_start` says that this is still to be committed; `changelogs` is what was found, by topic.
    """

    partition: Partition
    start: int
    stores: dict[str, KeyedStore]
    assigned: Assigned | None = None
    commit_start: bool = False
    changelogs: dict[str, RestoredChangelog] = field(default_factory=dict)
    remaining: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    # How many were left out that something else has written, by store.
    foreign: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)


class _Reading(NamedTuple):
    """One changelog partition that is read into one store."""

    restoration: Restoration
    store: KeyedStore
    end: int

    def take(self, topic: str, messages: Sequence[Any]) -> None:
        """Take over records of the changelog: states into the store, a position beside it."""
        restore, position = self.store.restore, None
        name, changelogs = self.store.name, self.restoration.changelogs
        self.restoration.remaining[name] = self.end - messages[-1].offset()
        records = self._ours(topic, messages)
        for key, value in records:
            if key == POSITION_KEY:
                position = value
                self.restoration.records[name] -= 1
            else:
                restore(key, value)
        self.restoration.records[name] += len(records)
        found = replace(changelogs[topic], records=self.restoration.records[name])
        if position is not None:
            found = replace(found, position=Position.decode(position))
        last = next((key for key, _ in reversed(records) if key != END_KEY), None)
        if last is not None:
            found = replace(found, superseded=found.position is not None and last != POSITION_KEY)
        changelogs[topic] = found

    def _ours(self, topic: str, messages: Sequence[Any]) -> list[tuple[bytes, bytes | None]]:
        """Keys and values, without what does not claim to be ours: what we had stored before that counts."""
        records = [(message.key(), message.value()) for message in messages]
        foreign = [n for n, (key, value) in enumerate(records) if key is None or is_foreign(value)]
        if not foreign:
            return records
        self.restoration.foreign[self.store.name] += len(foreign)
        details = {
            "topic": topic,
            "partition": self.restoration.partition.number,
            "offset": messages[foreign[0]].offset(),
            "key": repr(records[foreign[0]][0]),
            "more": len(foreign) - 1,
            "what": "something else than this application has written it to a changelog: it is left out",
        }
        _log.warning("foreign record", extra=details)
        left_out = set(foreign)
        return [record for n, record in enumerate(records) if n not in left_out]


class Restorer:
    """Restores the partitions of one loop, those of one assignment together, in a thread of its own.

    `restoring` are the partitions that are not complete yet, by number; `stops` says of changelog partitions
    where an open transaction begins, and where they end.
    """

    def __init__(
        self,
        changelogs: Mapping[str, str],
        new_stores: Callable[[], dict[str, KeyedStore]],
        open_consumer: Callable[[], Consumer],
        decide_start: Callable[[Restoration], None],
        probe: Probe,
        positions: str = "",
    ) -> None:
        """`decide_start` sets the start of a task whose stores have been restored.

        `positions` is a changelog that holds no states, and may get more partitions.
        """
        self.restoring: dict[int, Restoration] = {}
        self.stops: dict[Place, tuple[int, int]] = {}
        self._changelogs = changelogs
        self._new_stores = new_stores
        self.open_consumer = open_consumer
        self._decide_start = decide_start
        self._probe = probe
        self._positions = positions
        self._results: queue.SimpleQueue[Restoration | BaseException] = queue.SimpleQueue()

    def start(self, starts: Iterable[Assigned], admin: AdminClient) -> None:
        """Begin to restore the stores of partitions that have been assigned."""
        restorations = [
            Restoration(Partition(tp.topic, tp.partition), tp.offset, self._new_stores(), tp) for tp in starts
        ]
        self.restoring.update({r.partition.number: r for r in restorations})
        if restorations:
            self._begin(restorations, admin)

    def cancel(self, number: int) -> None:
        """Stop restoring a partition, if it is being restored."""
        restoration = self.restoring.pop(number, None)
        if restoration is not None:
            restoration.cancelled.set()

    def take_restored(self) -> list[Restoration]:
        """What is complete and has not been cancelled; raises the error of a restore that has failed.

        Raises KafkaSetupError if a task cannot start from what was restored.
        """
        taken = []
        while not self._results.empty():
            restoration = self._results.get()
            if isinstance(restoration, BaseException):
                raise restoration
            number = restoration.partition.number
            if self.restoring.get(number) is restoration:
                self._decide_start(restoration)
                del self.restoring[number]
                taken.append(restoration)
        return taken

    def _begin(self, restorations: Sequence[Restoration], admin: AdminClient) -> None:
        threading.Thread(target=self._run, args=(restorations, admin), name="restore", daemon=True).start()

    def _run(self, restorations: Sequence[Restoration], admin: AdminClient) -> None:
        started = time.monotonic()
        try:
            for _ in self._restore(restorations, admin, started):
                pass
        except BaseException as error:  # handed to the loop, which raises it
            self._results.put(error)
            return
        details = {"partitions": sorted(r.partition.number for r in restorations)}
        _log.info("restored", extra={**details, "seconds": round(time.monotonic() - started, 3)})

    def _restore(
        self, restorations: Sequence[Restoration], admin: AdminClient, started: float
    ) -> Iterator[None]:
        """Ask where the changelogs end, and read them up to there; each step is one poll."""
        readings = self._readings(restorations, admin)
        self._finish(restorations, readings, started)
        if readings:
            with closing(self.open_consumer()) as consumer:
                yield from self._read(consumer, readings, started)

    def _readings(self, restorations: Sequence[Restoration], admin: AdminClient) -> dict[Place, _Reading]:
        """What there is to read: every changelog partition that is not empty."""
        stores = {
            (topic, restoration.partition.number): (restoration, restoration.stores[name])
            for restoration in restorations
            for name, topic in self._changelogs.items()
        }
        _check_partitions(admin, stores, self._positions)
        ends = end_offsets(admin, stores, _REQUEST_SECONDS)
        for (topic, number), log_start in log_starts(admin, stores, _REQUEST_SECONDS).items():
            stores[topic, number][0].changelogs[topic] = RestoredChangelog(log_start)
        readings = {place: _Reading(*stores[place], end) for place, end in ends.items() if end}
        for restoration, store, end in readings.values():
            restoration.records[store.name], restoration.remaining[store.name] = 0, end
        return readings

    def _read(self, consumer: Consumer, readings: dict[Place, _Reading], started: float) -> Iterator[None]:
        ends = {place: reading.end for place, reading in readings.items()}
        reader = EndReader(consumer, dict.fromkeys(ends, 0), ends, _POLL_SECONDS)
        while reader.unread:
            self._probe(ProbePoint.DURING_RESTORE)
            for place, messages in reader.poll(_POLL_SIZE).items():
                readings[place].take(place[0], messages)
            for place in readings.keys() - reader.unread.keys():
                restoration = readings.pop(place).restoration
                self._finish([restoration], readings, started)
            for place, reading in list(readings.items()):
                if reading.restoration.cancelled.is_set():
                    del readings[place], reader.unread[place]
            self._note_stops(ends, reader)
            yield

    def _note_stops(self, ends: Mapping[Place, int], reader: EndReader) -> None:
        for place, end in ends.items():
            stop = reader.stops.get(place)
            if stop is not None and place in reader.unread:
                self.stops[place] = stop, end
            else:
                self.stops.pop(place, None)

    def _finish(
        self, restorations: Sequence[Restoration], unread: Mapping[Place, _Reading], started: float
    ) -> None:
        """Hand over those of which everything has been read."""
        for restoration in restorations:
            if not any(reading.restoration is restoration for reading in unread.values()):
                restoration.seconds = time.monotonic() - started
                self._results.put(restoration)


def new_restorer(
    sub: SubTopology,
    state_codecs: StateCodecs,
    open_consumer: Callable[[], Consumer],
    decide_start: Callable[[Restoration], None],
    probe: Probe,
) -> Restorer:
    """What restores the stores of a sub-topology's tasks."""
    changelogs = {store.name: store.changelog for store in sub.stores}
    positions = "" if sub.positions is None else sub.positions.changelog
    stores = partial(new_stores, sub, state_codecs)
    return Restorer(changelogs, stores, open_consumer, decide_start, probe, positions)


def _check_partitions(admin: AdminClient, places: Iterable[Place], positions: str) -> None:
    """Raise KafkaSetupError for a partition of the input that a changelog does not have."""
    for topic, number in sorted(places, reverse=True):
        found = retry(partial(admin.list_topics, topic, _REQUEST_SECONDS)).topics[topic].partitions
        if found and number >= len(found) and topic == positions:
            retry(partial(add_partitions, admin, topic, number + 1))
            continue
        if found and number >= len(found):
            raise KafkaSetupError(
                f"the changelog topic {topic} has {len(found)} partitions, but its input has a partition "
                f"{number}: partitions were added while the service was running, and keys would move away "
                "from their state; start under a new application_id"
            )


@contextmanager
def naming_offsets(restorer: Restorer, admin: AdminClient) -> Iterator[None]:
    """Add the offset to the error about a state that cannot be read, if it is found in time."""
    try:
        yield
    except UnreadableStateError as error:
        with suppress(KafkaException, KafkaSetupError), closing(restorer.open_consumer()) as consumer:
            error.offset = _newest_offset(consumer, admin, error)
        raise


def _newest_offset(consumer: Consumer, admin: AdminClient, error: UnreadableStateError) -> int | None:
    place = (error.changelog, error.partition)
    reader = EndReader(consumer, {place: 0}, end_offsets(admin, [place], _MOST_SECONDS), _POLL_SECONDS)
    deadline = time.monotonic() + _MOST_SECONDS
    newest = None
    while reader.unread:
        if time.monotonic() >= deadline:
            return None
        for message in reader.poll(_POLL_SIZE).get(place, []):
            if message.key() == error.key:
                newest = message.offset()
    return newest
