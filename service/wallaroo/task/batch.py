"""The fast lane of a task: a slice at full speed, and nothing in it that could be undone.

Rules for whoever edits this file:
1. No metric, log, clock read or callback per record.
2. A record that cannot be decoded has touched no state: `refuse` deals with it in place. On an internal
   topic it may be a control record, and then it has its place between the others.
3. Once user code has raised, nothing of the slice can be trusted.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import length_hint
from typing import Any

from wallaroo.errors import StopProcessing, StoredValueError
from wallaroo.record import RawRecord
from wallaroo.serde.object_codec import TopicCodec
from wallaroo.task.steps import Composed
from wallaroo.topology.model import Input

_NONE = type(None)
# One object of these is as good as another.
_UNCHANGEABLE = frozenset({str, bytes, int, float, bool, _NONE})


class BatchExecutor:
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
        self._decode_all = codec.decode_all if read.internal else read.decode_all
        self._afresh = codec.afresh if read.internal else read.afresh
        self._internal = read.internal
        self._emit, self._each = composed
        self._refuse = refuse
        self._drop = drop

    def process(self, records: Sequence[RawRecord]) -> RawRecord | None:
        """Take a slice all the way, or return the record on which user code has raised."""
        values, records = self._decoded(records)
        left = iter(records)
        try:
            if values is None:
                self._one_by_one(left)
            else:
                self._together(values, records, left)
        except (StoredValueError, StopProcessing):
            raise
        except Exception:
            return records[-1 - length_hint(left)]
        return None

    def _decoded(self, records: Sequence[RawRecord]) -> tuple[Sequence[Any] | None, Sequence[RawRecord]]:
        """The values of a slice and their records; None where they are to be decoded one by one."""
        values = self._at_once(records)
        if values is None:
            # Which record it was on an internal topic, and whether a control record, is seen one by one.
            if self._internal:
                return None, records
            values, records = self._readable(records)
        if not self._afresh and not _UNCHANGEABLE.issuperset(map(type, values)) and not _apart(values):
            return None, records
        return values, records

    def _at_once(self, records: Sequence[RawRecord]) -> Sequence[Any] | None:
        if self._decode_all is None:
            return None
        try:
            return self._decode_all([record.value() for record in records])
        except Exception:  # one of them cannot be decoded
            return None

    def _readable(self, records: Sequence[RawRecord]) -> tuple[list[Any], Sequence[RawRecord]]:
        decode, refused = self._decode, set()
        values: list[Any] = []
        keep = values.append
        for record in records:
            try:
                keep(decode(record.value()))
            except Exception as error:  # whatever the user's decoder raises
                self._refuse(record, error)
                refused.add(record.offset())
        if refused:
            records = [record for record in records if record.offset() not in refused]
        return values, records

    def _together(
        self, values: Sequence[Any], records: Sequence[RawRecord], left: Iterator[RawRecord]
    ) -> None:
        keys = [record.key() for record in records]
        if _NONE not in {*map(type, values)}:
            self._each(values, keys, left)
            return
        for value, key, record in zip(values, keys, left, strict=True):
            self._go_on(value, key, record)

    def _one_by_one(self, left: Iterator[RawRecord]) -> None:
        decode = self._decode
        for record in left:
            try:
                value = decode(record.value())
            except Exception as error:
                self._refuse(record, error)
                continue
            self._go_on(value, record.key(), record)

    def _go_on(self, value: Any, key: bytes | None, record: RawRecord) -> None:
        if value is None:
            self._drop()
        else:
            self._emit(value, key, record)


def _apart(values: Sequence[Any]) -> bool:
    """Whether no object is there twice: a decoder may fill the same one again and again."""
    there = [value for value in values if value is not None]
    return len({*map(id, there)}) == len(there)
