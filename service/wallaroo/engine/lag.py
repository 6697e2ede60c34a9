"""Lag: how many records of a partition are not done, from offsets, which are no records. Pure.

Rules for whoever edits this file:
1. What is not committed is not done.
2. Where nothing is left but the ends of transactions, the lag is 0.
3. What a partition that keeps up has read last says well enough what waits. Of one that is behind, what
   waits is looked at (kafka/sample.py): it may have been written at another pace.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wallaroo.record import Place

# The most offsets that count for how many records one holds.
_MEMORY_OFFSETS = 2_000
_ENOUGH_OFFSETS = 100
# A partition is behind if it has not done what was there so long ago.
_BEHIND_SECONDS = 2.0
_SAMPLE_SECONDS = 5.0
# Sampling may take this share of a thread's time.
_SHARE = 0.1
# From here on, offsets are records.
_NEARLY_ONE = 0.95


class Density:
    """How many records an offset of one partition holds, by what was read last."""

    def __init__(self) -> None:
        self._records = self._offsets = 0.0
        self._end: int | None = None

    def read(self, records: int, first: int, end: int) -> None:
        """So many records were between these offsets; what was skipped in front of them had none."""
        begin = self._end if self._end is not None and self._end <= first else first
        self._end = end
        self._records += records
        self._offsets += end - begin
        if self._offsets > _MEMORY_OFFSETS:
            self._records, self._offsets = self._records / 2, self._offsets / 2

    @property
    def value(self) -> float | None:
        """None before anything was read."""
        return self._records / self._offsets if self._offsets else None

    @property
    def is_known(self) -> bool:
        return self._offsets >= _ENOUGH_OFFSETS


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition is done: up to this offset, where there is nothing but ends of transactions."""

    done: int
    density: Density


@dataclass(slots=True)
class _Watched:
    """What is known of one partition; times are monotonic seconds.

    `goal` is where it ended at `since`: it is behind if it does not get there.
    """

    since: float
    goal: int
    end: int = 0
    done: int = 0
    sampled: float | None = None
    sample_due: float = 0.0


class LagBook:
    """The lags of the partitions of one topic; `has_batches` says that a message may hold many records."""

    def __init__(self, *, has_batches: bool) -> None:
        self._has_batches = has_batches
        self._watched: dict[Place, _Watched] = {}

    def update(
        self, now: float, reached: Mapping[Place, Reached], ends: Mapping[Place, int]
    ) -> dict[Place, int]:
        """The lag of each partition whose end is known."""
        self._watched = {place: at for place, at in self._watched.items() if place in reached}
        return {
            place: self._lag(now, place, at, ends[place]) for place, at in reached.items() if place in ends
        }

    def _lag(self, now: float, place: Place, at: Reached, end: int) -> int:
        watched = self._watched.setdefault(place, _Watched(now, end))
        watched.end, watched.done = end, at.done
        if at.done >= watched.goal:
            watched.since, watched.goal, watched.sampled = now, end, None
        density = at.density.value if watched.sampled is None else watched.sampled
        return round(max(0, end - at.done) * (1.0 if density is None else density))

    def to_sample(self, now: float, reached: Mapping[Place, Reached]) -> list[tuple[Place, int, int]]:
        """Which backlogs to look at now, as (place, from, to)."""
        return [
            (place, watched.done, watched.end)
            for place, watched in self._watched.items()
            if place in reached
            and watched.done < watched.end
            and now >= watched.sample_due
            and self._needs_sample(now, watched, reached[place].density)
        ]

    def sampled(self, place: Place, now: float, density: float | None, seconds: float) -> None:
        """A backlog was looked at, which took so long; None if that did not succeed."""
        watched = self._watched[place]
        watched.sample_due = now + max(_SAMPLE_SECONDS, seconds / _SHARE)
        if density is not None:
            watched.sampled = density

    def _needs_sample(self, now: float, watched: _Watched, density: Density) -> bool:
        if not density.is_known:
            return now - watched.since >= _BEHIND_SECONDS or self._has_batches
        has_gaps = (density.value or 0) < _NEARLY_ONE
        return (self._has_batches or has_gaps) and now - watched.since >= _BEHIND_SECONDS
