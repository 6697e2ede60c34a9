"""Range windows: a message goes into its pane, and a window that is due fires. Times are nanoseconds.

    1W<due><grid><window>{<P or X><index><size><accumulator>}

is what is stored of the windows of a key, numbers big-endian: when the next is due, a checksum of slide, pane
and offset, the next window, then the panes and extras. The accumulators are in the application's own format.
Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from functools import partial
from struct import Struct
from typing import Any
from zlib import crc32

from wallaroo.api.aggregation import Window as About
from wallaroo.api.windows import RangeWindows
from wallaroo.errors import StoredValueError
from wallaroo.record import Emit, Moment
from wallaroo.serde.formats import RANGE_WINDOWS, RANGE_WINDOWS_EARLY
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access, StoreFormat
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import Result, add, result_of
from wallaroo.windows.early import EarlyCodec, EarlyContents, split_early, with_early_results
from wallaroo.windows.grid import Contents, Grid, grid_of, is_empty, oldest_place
from wallaroo.windows.late import HandleLate, late_policy
from wallaroo.windows.stage import TimeContext, WindowKind, WindowTrigger
from wallaroo.windows.timers import DueTimes, Timers

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


def _store_format(step: Window, accumulators: Codec) -> StoreFormat:
    codec = ContentsCodec(grid_of(step.declared), accumulators.encode, accumulators.decode)
    if step.declared.early is not None:
        return StoreFormat(EarlyContents, EarlyCodec(codec), is_empty)
    return StoreFormat(Contents, codec, is_empty)


def due_times(step: Window) -> DueTimes:
    """When the windows of a step are due."""
    grid = grid_of(step.declared)
    due, read_window = grid.due, window_reader(grid)

    def of_live(contents: Contents) -> int | None:
        return None if contents.window is None else due(contents.window)

    def of_stored(data: bytes) -> int:
        return due(read_window(data))

    return DueTimes(grid.delay, of_live, of_stored, grid.has_missed)


def _compose(step: Window, access: Access, time: TimeContext, emit: Emit) -> Emit:
    find, touch = access
    aggregation, grid = step.declared.aggregation, grid_of(step.declared)
    timers, result = time.timers[step.store.name], result_of(step, partial(_about, grid))
    place = _place_in_oldest(step, touch, timers)
    handle_late = late_policy(step, time, emit, grid.newest_of, result, place)
    time.triggers.append(_trigger(step, access, timers, result, emit))

    def add_to_pane(message: Any, key: Any, origin: Any) -> None:
        event_time = origin.event_time
        if event_time < timers.watermark and grid.is_late(event_time, timers.watermark):
            handle_late(message, key, origin)
            return
        contents = find(key)
        if contents is None:
            contents = touch(key)
        pane = grid.pane_of(event_time)
        if pane not in contents.panes:
            window = max(grid.oldest_window(pane), grid.newest_past_due(timers.watermark) + 1)
            if contents.opens(window):
                timers.add(grid.due(window), key)
        add(aggregation, contents.panes, pane, message)

    if step.declared.early is None:
        return add_to_pane
    return with_early_results(step, access, timers, add_to_pane, result, emit)


def _about(grid: Grid, window: int, final: bool) -> About:
    return About(grid.begin(window), grid.end(window), final)


def _place_in_oldest(step: Window, touch: Callable[[bytes], Any], timers: Timers) -> HandleLate:
    aggregation, grid = step.declared.aggregation, grid_of(step.declared)

    def place_in_oldest(message: Any, key: bytes, _origin: Any) -> None:
        contents: Contents = touch(key)
        accumulators, index, window = oldest_place(contents, grid, timers.watermark)
        if contents.opens(window):
            timers.add(grid.due(window), key)
        add(aggregation, accumulators, index, message)

    return place_in_oldest


def _trigger(step: Window, access: Access, timers: Timers, result: Result, emit: Emit) -> WindowTrigger:
    touch = access.touch
    aggregation, grid = step.declared.aggregation, grid_of(step.declared)

    def close(contents: Contents, window: int, key: bytes) -> None:
        contents.close(window, grid)
        if contents.window is not None:
            timers.add(grid.due(contents.window), key)

    def fire_window(due: int, key: bytes) -> None:
        if timers.due(key) != due:
            return
        contents = touch(key)
        window = contents.window
        if window is None:
            # What was stored could not be read, and has been put aside.
            return
        made = result(key, contents.fold(window, grid, aggregation), window, True)
        close(contents, window, key)
        if made is not None:
            emit(made, key, Moment(grid.end(window) - 1))

    def discard_window(due: int, key: bytes) -> None:
        if timers.due(key) == due:
            contents = touch(key)
            if contents.window is not None:
                close(contents, contents.window, key)

    return WindowTrigger(step.name, timers, fire_window, discard_window)


def _open_state(step: Window, contents: Contents) -> dict[int, Any] | None:
    """Accumulators by the beginning of their window."""
    grid = grid_of(step.declared)
    windows = contents.open_windows(grid)
    return {grid.begin(w): contents.fold(w, grid, step.declared.aggregation) for w in windows} or None


KIND = WindowKind(RangeWindows, _store_format, _compose, _open_state, due_times)
