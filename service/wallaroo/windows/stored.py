"""Bytes of what windows and watermarks keep: headers that can be read alone, then accumulators.

    1W<due><grid><window>{<P or X><index><size><accumulator>}   range windows of a key; the next is due then
    1N<count><accumulator>                                      a count window
    1T<idle><watermark>                                         how far somebody has come

Numbers are big-endian; due times and watermarks are nanoseconds. Accumulators are in the application's own
format. Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any
from zlib import crc32

from wallaroo.errors import StoredValueError
from wallaroo.windows.contents import Contents
from wallaroo.windows.count import Counted
from wallaroo.windows.grid import Grid
from wallaroo.windows.watermark import Mark

_RANGE, _COUNT, _MARK = b"1W", b"1N", b"1T"
_range_header = Struct(">2sqIq")
_entry = Struct(">cqI")
_count_header = Struct(">2sQ")
_mark = Struct(">2s?q")
_PANE, _EXTRA = b"P", b"X"
# Behind this there is no time that a header can hold.
_LATEST = 2**63 - 1

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]


def window_reader(grid: Grid) -> Callable[[bytes], int]:
    """Reads the window that is due next off a stored value, without decoding it.

    StoredValueError where the value is of no range windows, or of others than these. The delay may differ:
    it says only when a window is due.
    """
    identity = _identity(grid)

    def read(data: bytes) -> int:
        if data[:2] != _RANGE or len(data) < _range_header.size:
            raise StoredValueError(f"a stored value does not hold range windows: {data[:80]!r}")
        _, _, stored, window = _range_header.unpack_from(data)
        if stored != identity:
            raise StoredValueError(
                "stored windows have another range or slide than those declared: give the stage a new name, "
                "so that it begins anew, or bring the old numbers back"
            )
        return int(window)

    return read


def _identity(grid: Grid) -> int:
    return crc32(b"%d/%d" % (grid.slide, grid.pane))


class _OneByOne(ABC):
    """What is encoded together has nothing in common."""

    @abstractmethod
    def encode(self, value: Any) -> bytes: ...

    def encode_all(self, values: Sequence[Any]) -> list[bytes]:
        return [self.encode(each) for each in values]


class ContentsCodec(_OneByOne):
    """Bytes of the range windows of a key; `encode` and `decode` are for one accumulator."""

    def __init__(self, grid: Grid, encode: Encode, decode: Decode) -> None:
        self._grid = grid
        self._encode = encode
        self._decode = decode
        self._identity = _identity(grid)
        self._next_window = window_reader(grid)

    def encode(self, contents: Contents) -> bytes:
        window = contents.window
        due = 0 if window is None else max(-_LATEST, min(self._grid.due(window), _LATEST))
        parts = [_range_header.pack(_RANGE, due, self._identity, window or 0)]
        for kind, held in ((_PANE, contents.panes), (_EXTRA, contents.extras)):
            for index, accumulator in held.items():
                made = self._encode(accumulator)
                parts += (_entry.pack(kind, index, len(made)), made)
        return b"".join(parts)

    def decode(self, data: bytes) -> Contents:
        """The contents; StoredValueError where the bytes are not what `encode` makes for these windows."""
        window = self._next_window(data)
        contents = Contents()
        at = _range_header.size
        while at < len(data):
            at = self._decode_entry(data, at, contents)
        if contents.panes or contents.extras:
            contents.window = window
            if not contents.is_sound(self._grid):
                raise StoredValueError(f"stored windows contradict themselves: {data[:80]!r}")
        return contents

    def _decode_entry(self, data: bytes, at: int, contents: Contents) -> int:
        begin = at + _entry.size
        if begin > len(data):
            raise StoredValueError(f"stored windows end in the middle: {data[at:][:80]!r}")
        kind, index, size = _entry.unpack_from(data, at)
        end: int = begin + size
        held = {_PANE: contents.panes, _EXTRA: contents.extras}.get(kind)
        if held is None or index in held or end > len(data):
            raise StoredValueError(f"stored windows cannot be read: {data[at:][:80]!r}")
        held[index] = self._decode(data[begin:end])
        return end


class CountedCodec(_OneByOne):
    """Bytes of a count window; `encode` and `decode` are for its accumulator."""

    def __init__(self, encode: Encode, decode: Decode) -> None:
        self._encode = encode
        self._decode = decode

    def encode(self, counted: Counted) -> bytes:
        accumulator = self._encode(counted.accumulator) if counted.count else b""
        return _count_header.pack(_COUNT, counted.count) + accumulator

    def decode(self, data: bytes) -> Counted:
        """The window; StoredValueError where the bytes are not what `encode` makes."""
        if data[:2] != _COUNT or len(data) < _count_header.size:
            raise StoredValueError(f"a stored value is no count window: {data[:80]!r}")
        counted, held = Counted(), data[_count_header.size :]
        counted.count = _count_header.unpack_from(data)[1]
        if counted.count:
            counted.accumulator = self._decode(held)
        elif held:
            raise StoredValueError(f"a stored value is no count window, but holds something: {data[:80]!r}")
        return counted


class MarkCodec(_OneByOne):
    """Bytes of a mark."""

    def encode(self, mark: Mark) -> bytes:
        return _mark.pack(_MARK, mark.idle, mark.watermark)

    def decode(self, data: bytes) -> Mark:
        """The mark; StoredValueError where the bytes are not what `encode` makes."""
        if data[:2] != _MARK or len(data) != _mark.size or data[2] > 1:
            raise StoredValueError(f"a stored value is no watermark: {data[:80]!r}")
        _, idle, watermark = _mark.unpack(data)
        return Mark(watermark, idle)
