"""Read changelogs without a running service, by what restores one.

Rules for whoever edits this file:
1. What is read ends where the changelog ended at the start: what comes after is for the next command.
2. Only committed records count, and of a key the last one.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from confluent_kafka.admin import AdminClient

from wallaroo.admin.cluster import CLIENT_ID, topics_of
from wallaroo.admin.states import Entry, Kept, entry_of
from wallaroo.clock import Clock, SystemClock
from wallaroo.engine.restore import Restoration, Restorer
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.clients import restore_consumer
from wallaroo.kafka.group_member import Assigned
from wallaroo.kafka.open_transactions import stalled_text
from wallaroo.settings import Settings
from wallaroo.state.store import KeyedStore
from wallaroo.task.stores import StateCodecs, new_stores

_LOOK_SECONDS = 0.02
# A transaction that is open for so long keeps the end from being read.
_STALLED_SECONDS = 15.0

Progress = Callable[[int, int], None]
"""Told again and again how many offsets have been read, and of how many."""


def unwatched(_done: int, _total: int) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class ChangelogReader:
    """Reads changelogs of an application; `progress` is told how far it is."""

    admin: AdminClient
    settings: Settings
    codecs: StateCodecs
    progress: Progress = unwatched

    def partitions(self, topic: str) -> int:
        """How many partitions a topic of the application has; KafkaSetupError if it is not there."""
        count = topics_of(self.admin).get(topic, 0)
        if not count:
            raise KafkaSetupError(
                f"the topic {topic} is not there at {self.settings.bootstrap_servers}: the application has "
                "not run there, or not with this stage; see bootstrap_servers, application_id and "
                "`wallaroo topics plan`"
            )
        return count

    def new_store(self, kept: Kept) -> KeyedStore:
        """An empty store of a stage."""
        return new_stores(kept.sub, self.codecs)[kept.store.name]

    def look_up(self, kept: Kept, key: bytes) -> Entry | None:
        """The state of one key; None if it has none."""
        count = self.partitions(kept.store.changelog)
        only = kept.partition(key, count)
        for number, store in self.states(kept, range(count) if only is None else [only]).items():
            stored = store.get(key)
            if stored is not None:
                return entry_of(store, key, number, stored)
        return None

    def states(self, kept: Kept, numbers: Iterable[int]) -> dict[int, KeyedStore]:
        """The states of a stage in partitions of its changelog; raises as `tasks` does."""
        changelogs = {kept.store.name: kept.store.changelog}
        found = self._restored(kept, changelogs, numbers)
        return {number: each.stores[kept.store.name] for number, each in sorted(found.items())}

    def tasks(self, kept: Kept, numbers: Iterable[int]) -> dict[int, Restoration]:
        """What a restore finds of the tasks of a stage, in all of their changelogs.

        Raises KafkaSetupError if a transaction stays open that keeps one from being read to its end.
        """
        return self._restored(kept, {store.name: store.changelog for store in kept.sub.stores}, numbers)

    def _restored(
        self, kept: Kept, changelogs: Mapping[str, str], numbers: Iterable[int]
    ) -> dict[int, Restoration]:
        def new_chosen() -> dict[str, KeyedStore]:
            made = new_stores(kept.sub, self.codecs)
            return {name: made[name] for name in changelogs}

        open_consumer = partial(restore_consumer, self.settings, f"{kept.sub.group}-{CLIENT_ID}")
        restorer = Restorer(
            changelogs, new_chosen, open_consumer, lambda _restoration: None, lambda _point: None
        )
        restorer.start([Assigned(kept.sub.input.topic, number, 0) for number in numbers], self.admin)
        begun = list(restorer.restoring.values())
        watch = _Watch(SystemClock(), self.settings.bootstrap_servers)
        done: dict[int, Restoration] = {}
        while restorer.restoring:
            done |= {each.partition.number: each for each in restorer.take_restored()}
            self.progress(*watch.update(begun, restorer))
            time.sleep(_LOOK_SECONDS)
        return done


def _nothing(_of: object) -> None:
    """Neither decide where a task starts nor stop at a point of a test."""


class _Watch:
    """How far a restore has come, and whether it goes on."""

    def __init__(self, clock: Clock, servers: str) -> None:
        self._clock = clock
        self._servers = servers
        self._totals: dict[tuple[int, str], int] = {}
        self._last, self._since, self._since_ms = -1, clock.monotonic(), clock.now_ms()

    def update(self, restorations: Iterable[Restoration], restorer: Restorer) -> tuple[int, int]:
        """How many offsets have been read, and of how many."""
        left = 0
        for restoration in restorations:
            for name, remaining in list(restoration.remaining.items()):
                self._totals.setdefault((restoration.partition.number, name), remaining)
                left += remaining if restoration.partition.number in restorer.restoring else 0
        total = sum(self._totals.values())
        if total - left != self._last:
            self._last, self._since, self._since_ms = (
                total - left,
                self._clock.monotonic(),
                self._clock.now_ms(),
            )
        elif restorer.stops and self._clock.monotonic() - self._since >= _STALLED_SECONDS:
            place, (offset, _end) = min(restorer.stops.items())
            raise KafkaSetupError(stalled_text(place, offset, self._since_ms, self._servers))
        return total - left, total
