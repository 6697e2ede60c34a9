"""Range windows as they are stored.

    1W<due><grid><window>{<P or X><index><size><accumulator>}

is what a key holds, numbers big-endian: when the next is due, a checksum of slide, pane and offset, the next
window, then the panes and extras. The accumulators are in the application's own format. Reading never trusts
the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any
from zlib import crc32

from wallaroo.errors import StoredValueError
from wallaroo.serde.formats import RANGE_WINDOWS, RANGE_WINDOWS_EARLY
from wallaroo.windows.early import split_early
from wallaroo.windows.grid import Contents, Grid

_header = Struct(">2sqIq")
_entry = Struct(">cqI")
_PANE, _EXTRA = b"P", b"X"
# The last moment that a header can hold.
_LATEST = 2**63 - 1


def window_reader(grid: Grid) -> Callable[[bytes], int]:
    """Returns a function that reads the next window off a stored value, without decoding it.

    It raises StoredValueError if the value is of no range windows, or of others than these. The delay may
    differ: it says only when a window is due.
    """
    identity = _identity(grid)

    def read_window(data: bytes) -> int:
        if data[:2] == RANGE_WINDOWS_EARLY:
            _, data = split_early(data)
        if data[:2] != RANGE_WINDOWS or len(data) < _header.size:
            raise StoredValueError(f"a stored value does not hold range windows: {data[:80]!r}")
        _, _, stored, window = _header.unpack_from(data)
        if stored != identity:
            raise StoredValueError(
                "stored windows have another range or slide than those declared, or another offset"
            )
        return int(window)

    return read_window


def _identity(grid: Grid) -> int:
    text = b"%d/%d" % (grid.slide, grid.pane)
    # Without an offset as it was before there were any.
    return crc32(b"%b/%d" % (text, grid.offset) if grid.offset else text)


class ContentsCodec:
    """Bytes of the range windows of a key; `encode` and `decode` are for one accumulator."""

    def __init__(self, grid: Grid, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]) -> None:
        self._grid = grid
        self._encode = encode
        self._decode = decode
        self._identity = _identity(grid)
        self._next_window = window_reader(grid)

    def encode(self, contents: Contents) -> bytes:
        window = contents.window
        due = 0 if window is None else max(-_LATEST, min(self._grid.due(window), _LATEST))
        parts = [_header.pack(RANGE_WINDOWS, due, self._identity, window or 0)]
        for kind, accumulators in ((_PANE, contents.panes), (_EXTRA, contents.extras)):
            for index, accumulator in accumulators.items():
                made = self._encode(accumulator)
                parts += (_entry.pack(kind, index, len(made)), made)
        return b"".join(parts)

    def encode_all(self, values: Sequence[Contents]) -> list[bytes]:
        return [self.encode(contents) for contents in values]

    def decode(self, data: bytes) -> Contents:
        """The contents; StoredValueError if the bytes are not what `encode` makes for these windows."""
        if data[:2] == RANGE_WINDOWS_EARLY:
            _, data = split_early(data)
        window = self._next_window(data)
        contents = Contents()
        at = _header.size
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
        accumulators = {_PANE: contents.panes, _EXTRA: contents.extras}.get(kind)
        if accumulators is None or index in accumulators or end > len(data):
            raise StoredValueError(f"stored windows cannot be read: {data[at:][:80]!r}")
        accumulators[index] = self._decode(data[begin:end])
        return end
