"""Count windows: a fixed number of messages of a key makes one output.

    1N<count><accumulator>

is what is stored of a key, the count big-endian and the accumulator in the application's own format.
Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

from wallaroo.api.windows import CountWindows
from wallaroo.errors import StoredValueError
from wallaroo.record import Emit, Origin
from wallaroo.serde.formats import COUNT_WINDOW
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access, StoreFormat
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import Aggregation, key_text
from wallaroo.windows.stage import TimeContext, WindowKind

_header = Struct(">2sQ")


@dataclass(slots=True, eq=False)
class Counted:
    """The messages of one key since its last output."""

    count: int = 0
    accumulator: Any = None

    def add(self, message: Any, aggregation: Aggregation) -> None:
        if not self.count:
            self.accumulator = aggregation.initial_accumulator()
        replaced = aggregation.update(message, self.accumulator)
        if replaced is not None:
            self.accumulator = replaced
        self.count += 1

    def clear(self) -> None:
        self.count = 0
        self.accumulator = None


def is_empty(counted: Counted) -> bool:
    return not counted.count


class CountedCodec:
    """Bytes of a count window; `encode` and `decode` are for its accumulator."""

    def __init__(self, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]) -> None:
        self._encode = encode
        self._decode = decode

    def encode(self, counted: Counted) -> bytes:
        accumulator = self._encode(counted.accumulator) if counted.count else b""
        return _header.pack(COUNT_WINDOW, counted.count) + accumulator

    def encode_all(self, values: Sequence[Counted]) -> list[bytes]:
        return [self.encode(counted) for counted in values]

    def decode(self, data: bytes) -> Counted:
        """The window; StoredValueError if the bytes are not what `encode` makes."""
        if data[:2] != COUNT_WINDOW or len(data) < _header.size:
            raise StoredValueError(f"a stored value is no count window: {data[:80]!r}")
        counted, accumulator = Counted(), data[_header.size :]
        counted.count = _header.unpack_from(data)[1]
        if counted.count:
            counted.accumulator = self._decode(accumulator)
        elif accumulator:
            raise StoredValueError(f"a stored value is no count window, but holds something: {data[:80]!r}")
        return counted


def _store_format(_step: Window, accumulators: Codec) -> StoreFormat:
    return StoreFormat(Counted, CountedCodec(accumulators.encode, accumulators.decode), is_empty)


def _compose(step: Window, access: Access, _time: TimeContext, emit: Emit) -> Emit:
    """An output has the time of the message that completed its window."""
    find, touch = access
    aggregation, size = step.declared.aggregation, step.declared.count

    def add_to_count(message: Any, key: Any, origin: Origin) -> None:
        counted = find(key)
        if counted is None:
            counted = touch(key)
        counted.add(message, aggregation)
        if counted.count < size:
            return
        made = aggregation.output(key_text(key), counted.accumulator)
        counted.clear()
        if made is not None:
            emit(made, key, origin)

    return add_to_count


def _open_state(_step: Window, counted: Counted) -> tuple[int, Any] | None:
    """The number of messages, and their accumulator."""
    return (counted.count, counted.accumulator) if counted.count else None


KIND = WindowKind(CountWindows, _store_format, _compose, _open_state)
