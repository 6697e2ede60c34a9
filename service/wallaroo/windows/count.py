"""Count windows: a fixed number of messages of a key makes one output.

    1N<count><accumulator>
    2N<number><count><accumulator>

is what is stored of a key, numbers big-endian and the accumulator in the application's own format. The number
of the open window is kept only where `output` asks for it: then a key never goes.
Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

from wallaroo.api.aggregation import Window as About
from wallaroo.api.aggregation import wants_window
from wallaroo.api.windows import CountWindows
from wallaroo.errors import StoredValueError
from wallaroo.record import Emit, Origin
from wallaroo.serde.formats import COUNT_WINDOW, COUNT_WINDOW_2
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access, StoreFormat
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import Aggregation, result_of
from wallaroo.windows.stage import TimeContext, WindowKind

_header, _numbered = Struct(">2sQ"), Struct(">2sQQ")


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


@dataclass(slots=True, eq=False)
class Numbered(Counted):
    """The same, and how many windows of the key have fired."""

    number: int = 0

    def clear(self) -> None:
        self.count = 0
        self.accumulator = None
        self.number += 1


def is_empty(counted: Counted) -> bool:
    return not counted.count


def is_new(numbered: Numbered) -> bool:
    return not numbered.count and not numbered.number


class CountedCodec:
    """Bytes of a count window; `encode` and `decode` are for its accumulator.

    It reads a window with a number, too, and leaves the number out.
    """

    def __init__(self, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]) -> None:
        self._encode = encode
        self._decode = decode

    def encode(self, counted: Counted) -> bytes:
        accumulator = self._encode(counted.accumulator) if counted.count else b""
        return _header.pack(COUNT_WINDOW, counted.count) + accumulator

    def encode_all(self, values: Sequence[Counted]) -> list[bytes]:
        return [self.encode(counted) for counted in values]

    def decode(self, data: bytes) -> Counted:
        """The window; StoredValueError if the bytes are not what an `encode` makes."""
        counted = Counted()
        counted.count, counted.accumulator, _ = self._fields(data)
        return counted

    def _fields(self, data: bytes) -> tuple[int, Any, int]:
        """(count, accumulator, number)."""
        header = {COUNT_WINDOW: _header, COUNT_WINDOW_2: _numbered}.get(data[:2])
        if header is None or len(data) < header.size:
            raise StoredValueError(f"a stored value is no count window: {data[:80]!r}")
        _, *numbers, count = header.unpack_from(data)
        accumulator = data[header.size :]
        if accumulator and not count:
            raise StoredValueError(f"a stored value is no count window, but holds something: {data[:80]!r}")
        return count, self._decode(accumulator) if count else None, sum(numbers)


class NumberedCodec(CountedCodec):
    """Bytes of a count window with its number; one that is stored without is the first from now on."""

    def encode(self, counted: Counted) -> bytes:
        number = counted.number if isinstance(counted, Numbered) else 0
        accumulator = self._encode(counted.accumulator) if counted.count else b""
        return _numbered.pack(COUNT_WINDOW_2, number, counted.count) + accumulator

    def decode(self, data: bytes) -> Numbered:
        """The window; StoredValueError if the bytes are not what an `encode` makes."""
        return Numbered(*self._fields(data))


def _store_format(step: Window, accumulators: Codec) -> StoreFormat:
    encode, decode = accumulators.encode, accumulators.decode
    if wants_window(step.declared.aggregation):
        return StoreFormat(Numbered, NumberedCodec(encode, decode), is_new)
    return StoreFormat(Counted, CountedCodec(encode, decode), is_empty)


def _compose(step: Window, access: Access, _time: TimeContext, emit: Emit) -> Emit:
    """An output has the time of the message that completed its window."""
    find, touch = access
    aggregation, size = step.declared.aggregation, step.declared.count
    result = result_of(step, lambda counted, final: About(number=counted.number, final=final))

    def add_to_count(message: Any, key: Any, origin: Origin) -> None:
        counted = find(key)
        if counted is None:
            counted = touch(key)
        counted.add(message, aggregation)
        if counted.count < size:
            return
        made = result(key, counted.accumulator, counted, True)
        counted.clear()
        if made is not None:
            emit(made, key, origin)

    return add_to_count


def _open_state(_step: Window, counted: Counted) -> tuple[int, Any] | None:
    """The number of messages, and their accumulator."""
    return (counted.count, counted.accumulator) if counted.count else None


KIND = WindowKind(CountWindows, _store_format, _compose, _open_state)
