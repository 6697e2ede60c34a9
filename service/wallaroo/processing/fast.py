"""The fast lane of a task: a slice at full speed, and nothing in it that could be undone.

Rules for whoever edits this file:
1. No metric, log, clock read or callback per record.
2. A record that cannot be decoded has touched no state: `refuse` deals with it in place.
3. Where this raises, nothing of the slice can be trusted; the record at fault is the last taken from `left`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wallaroo.processing.processors import Composed
from wallaroo.record import RawRecord
from wallaroo.state.codec import TopicCodec
from wallaroo.topology.model import Input

_NONE = type(None)
# One object of these is as good as another.
_UNCHANGEABLE = frozenset({str, bytes, int, float, bool, _NONE})


class FastLane:
    """Takes slices through `composed`; `drop` is told of each record that the decoder has filtered out."""

    def __init__(
        self,
        read: Input,
        codec: TopicCodec,
        composed: Composed,
        refuse: Callable[[RawRecord, Exception], None],
        drop: Callable[[], None],
    ) -> None:
        self._decode = read.decode or codec.decode
        self._decode_all = codec.decode_all if read.decode is None else None
        self._afresh = codec.afresh if read.decode is None else read.afresh
        self._emit, self._each = composed
        self._refuse = refuse
        self._drop = drop

    def process(self, records: Sequence[RawRecord], left: Iterator[RawRecord]) -> None:
        """Take a slice all the way; `left` goes over the same records."""
        try:
            values = self._decoded(records)
        except Exception:  # whatever the user's decoder raises: one by one, it is seen on which record
            self._one_by_one(left)
            return
        kinds = {*map(type, values)}
        if not self._afresh and not kinds <= _UNCHANGEABLE and not _apart(values):
            self._one_by_one(left)
            return
        keys = [record.key() for record in records]
        if _NONE in kinds:
            self._sift(values, keys, left)
        else:
            self._each(values, keys, left)

    def _decoded(self, records: Sequence[RawRecord]) -> Sequence[Any]:
        if self._decode_all is not None:
            return self._decode_all([record.value() for record in records])
        decode = self._decode
        return [decode(record.value()) for record in records]

    def _one_by_one(self, left: Iterator[RawRecord]) -> None:
        decode, emit = self._decode, self._emit
        for record in left:
            try:
                value = decode(record.value())
            except Exception as error:
                self._refuse(record, error)
                continue
            if value is None:
                self._drop()
            else:
                emit(value, record.key(), record)

    def _sift(self, values: Sequence[Any], keys: Sequence[bytes | None], left: Iterator[RawRecord]) -> None:
        emit = self._emit
        for value, key, record in zip(values, keys, left, strict=True):
            if value is None:
                self._drop()
            else:
                emit(value, key, record)


def _apart(values: Sequence[Any]) -> bool:
    """Whether no object is there twice: a decoder may fill the same one again and again."""
    there = [value for value in values if value is not None]
    return len({*map(id, there)}) == len(there)
