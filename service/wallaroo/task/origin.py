"""Origins: where a record first came from, whatever topics of ours it has crossed since.

A record batch names the places that its records came from, and each entry has one number: how far its record
is behind the first offset of its place, times the number of places, plus which place it is. A record that is
written alone has a header.

Rules for whoever edits this file:
1. Behind a source, nothing is called for each record of a slice: its offsets are a range, unless there are
   gaps in it.
2. What no single record led to, as the result of a window, has no origin.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from wallaroo.record import ORIGIN_HEADER, EarlyMoment, Moment, Origin, Partition
from wallaroo.windows.stage import DueWindow

# [topic, partition, base offset] of each place.
Places = Sequence[tuple[str, int, int]]


class Source(NamedTuple):
    """A record of a source."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Source).decode


def origin_header(source: Source) -> tuple[str, bytes]:
    """The header of a record that is written alone."""
    return ORIGIN_HEADER, _encode(source)


def source_of(record: Any) -> Source | None:
    """Where a record of a repartition topic first came from, or one that was made of it; None if unknown."""
    if type(record) is Moment or type(record) is EarlyMoment:
        record = record.record
    own = getattr(record, "source", None)
    if own is not None:
        found: Source | None = own()
        return found
    if record is None or type(record) is DueWindow:
        return None
    for name, value in record.headers() or ():
        if name == ORIGIN_HEADER:
            try:
                return _decode(value)
            except (msgspec.MsgspecError, TypeError):
                return None
    return None


class Origins(Protocol):
    """The origins of one task's results; a mark is what an entry keeps of its origin.

    `base` is the first offset of the slice in progress.
    """

    base: int

    def source(self, record: Any) -> Source | None:
        """Where a record of the task's input first came from."""

    def mark(self, origin: Origin) -> Any:
        """The mark of one result."""

    def marks(self, run: Sequence[Any]) -> Iterable[Any]:
        """The marks of results that come from these records, one from each."""

    def source_at(self, mark: Any) -> Source | None:
        """What a mark stands for, in the slice in progress."""

    def packed(self, entries: Sequence[tuple[Any, ...]]) -> tuple[Places, Sequence[tuple[Any, ...]]]:
        """The places of entries, and the entries with numbers instead of marks."""


class OffsetOrigins:
    """The origins of a task that reads a source: a mark is how far a record is behind the slice's first."""

    def __init__(self, partition: Partition) -> None:
        self.base = 0
        self._partition = partition

    def source(self, record: Any) -> Source | None:
        if type(record) is DueWindow:
            return None
        return Source(self._partition.topic, self._partition.number, record.offset())

    def mark(self, origin: Any) -> int | None:
        offset = origin.offset()
        return None if offset is None else offset - self.base

    def marks(self, run: Sequence[Any]) -> Iterable[int]:
        if not run:
            return ()
        first, base = run[0].offset(), self.base
        if run[-1].offset() - first == len(run) - 1:
            return range(first - base, first - base + len(run))
        return [record.offset() - base for record in run]

    def source_at(self, mark: int | None) -> Source | None:
        topic, number = self._partition.topic, self._partition.number
        return None if mark is None else Source(topic, number, self.base + mark)

    def packed(self, entries: Sequence[tuple[Any, ...]]) -> tuple[Places, Sequence[tuple[Any, ...]]]:
        return [(self._partition.topic, self._partition.number, self.base)], entries


class CarriedOrigins:
    """The origins of a task that reads a repartition topic: a mark is where the record first came from."""

    def __init__(self) -> None:
        self.base = 0

    def source(self, record: Any) -> Source | None:
        return source_of(record)

    def mark(self, origin: Any) -> Source | None:
        return source_of(origin)

    def marks(self, run: Sequence[Any]) -> Iterable[Source | None]:
        return map(source_of, run)

    def source_at(self, mark: Source | None) -> Source | None:
        return mark

    def packed(self, entries: Sequence[tuple[Any, ...]]) -> tuple[Places, Sequence[tuple[Any, ...]]]:
        bases: dict[tuple[str, int], int] = {}
        for *_, source in entries:
            if source is not None:
                topic, number, offset = source
                place = topic, number
                if offset < bases.setdefault(place, offset):
                    bases[place] = offset
        count = len(bases)
        index = {place: (base, n) for n, (place, base) in enumerate(bases.items())}
        coded = []
        for value, key, time, source in entries:
            code = None
            if source is not None:
                topic, number, offset = source
                base, n = index[topic, number]
                code = (offset - base) * count + n
            coded.append((value, key, time, code))
        return [(*place, base) for place, base in bases.items()], coded


def place_of(places: Places, code: int | None) -> Source | None:
    """The origin that a number in an entry stands for; None if it stands for none."""
    if code is None or not places:
        return None
    if len(places) == 1:
        [(topic, partition, base)] = places
        return Source(topic, partition, base + code)
    behind, index = divmod(code, len(places))
    topic, partition, base = places[index]
    return Source(topic, partition, base + behind)


def origins_of(partition: Partition, *, is_source: bool) -> Origins:
    """The origins of the task of a partition."""
    return OffsetOrigins(partition) if is_source else CarriedOrigins()
