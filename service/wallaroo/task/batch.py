"""The fast lane of a task: a slice at full speed, and nothing in it that could be undone.

Rules for whoever edits this file:
1. No metric, log, clock read or callback per record.
2. A slice is decoded ahead of its processing only where decoding is ours: by a decoder of `json_decoder`, or
   of our own wire format. A user's own decoder may fill one object again and again: it goes record by record.
3. A record that cannot be decoded has touched no state: `refuse` deals with it in place. On an internal
   topic it may be a control record, and then it has its place between the others.
4. Once user code has raised, nothing of the slice can be trusted.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import length_hint
from typing import Any

from wallaroo.errors import StopProcessing, StoredValueError
from wallaroo.record import RawRecord
from wallaroo.serde.object_codec import TopicCodec
from wallaroo.task.steps import Composed
from wallaroo.topology.model import Input

_NONE = type(None)


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
        self._decode_all = codec.decode_all if read.internal else None
        self._by_slice = read.by_slice
        self._emit, self._each = composed
        self._refuse = refuse
        self._drop = drop

    def process(self, records: Sequence[RawRecord]) -> RawRecord | None:
        """Take a slice all the way, or return the record on which user code has raised."""
        if self._by_slice:
            return self._process_runs(records)
        if self._decode_all is not None:
            try:
                values = self._decode_all([record.value() for record in records])
            except Exception:  # one of them cannot be decoded, or is a control record
                return _failing(self._one_by_one, records)
            return _failing(partial(self._together, values, records), records)
        return _failing(self._one_by_one, records)

    def _process_runs(self, records: Sequence[RawRecord]) -> RawRecord | None:
        """Decode up to a record that cannot be, process those, refuse it, and go on behind it."""
        while True:
            values, error = self._decode_run(records)
            run = records if error is None else records[: len(values)]
            failing = _failing(partial(self._together, values, run), run)
            if error is None or failing is not None:
                return failing
            self._refuse(records[len(values)], error)
            records = records[len(values) + 1 :]

    def _decode_run(self, records: Sequence[RawRecord]) -> tuple[list[Any], Exception | None]:
        """The values of the records up to the first that cannot be decoded, and why it cannot."""
        decode = self._decode
        values: list[Any] = []
        keep = values.append
        try:
            for record in records:
                keep(decode(record.value()))
        except Exception as error:  # of msgspec or pydantic, or what a validator of the user's has raised
            return values, error
        return values, None

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


def _failing(
    process: Callable[[Iterator[RawRecord]], None], records: Sequence[RawRecord]
) -> RawRecord | None:
    """Have the records processed; returns the one on which user code has raised."""
    left = iter(records)
    try:
        process(left)
    except (StoredValueError, StopProcessing):
        raise
    except Exception:
        return records[-1 - length_hint(left)]
    return None
