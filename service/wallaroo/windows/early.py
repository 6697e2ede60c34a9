"""Early results: what an open window holds, emitted before it is due.

    2W<number of windows>{<window><event time>}<range windows, as 1W>

is what is stored of range windows that have given some: by window, the event time of the message that gave
the last one, numbers big-endian.

Rules for whoever edits this file:
1. Whether a message gives an early result depends on the event times in its window alone: not on the
   watermark, the wall clock or the end of a batch.
2. An early result has the event time of its message: the end of its window is in the future, which brokers
   refuse. It says that it is not final.
3. A stage without early results is composed of the same functions as before there were any.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.record import EarlyMoment, Emit
from wallaroo.serde.formats import RANGE_WINDOWS_EARLY
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import Result
from wallaroo.windows.grid import Contents, Grid, grid_of
from wallaroo.windows.timers import Timers

_header, _entry = Struct(">2sI"), Struct(">qq")


@dataclass(slots=True, eq=False)
class EarlyContents(Contents):
    """The same; `early` is the event time of the message that gave the last early result, by window."""

    early: dict[int, int] = field(default_factory=dict)

    def close(self, window: int, grid: Grid) -> None:
        Contents.close(self, window, grid)
        self.early.pop(window, None)


def split_early(data: bytes) -> tuple[dict[int, int], bytes]:
    """What is stored of early results, and of their windows; StoredValueError if the bytes are damaged."""
    if data[:2] != RANGE_WINDOWS_EARLY:
        return {}, data
    begin = _header.size
    count = _header.unpack_from(data)[1] if len(data) >= begin else 0
    end = begin + count * _entry.size
    if not count or len(data) < end:
        raise StoredValueError(f"stored early results end in the middle: {data[:80]!r}")
    early = list(_entry.iter_unpack(data[begin:end]))
    if any(window >= later for (window, _), (later, _) in pairwise(early)):
        raise StoredValueError(f"stored early results contradict themselves: {data[:80]!r}")
    return dict(early), data[end:]


class EarlyCodec:
    """Bytes of range windows with early results; `inner` is for those without, which it reads too."""

    def __init__(self, inner: Codec) -> None:
        self._inner = inner

    def encode(self, contents: EarlyContents) -> bytes:
        inner = self._inner.encode(contents)
        if not contents.early:
            return inner
        header = _header.pack(RANGE_WINDOWS_EARLY, len(contents.early))
        return b"".join((header, *(_entry.pack(*each) for each in sorted(contents.early.items())), inner))

    def encode_all(self, values: Sequence[EarlyContents]) -> list[bytes]:
        return [self.encode(contents) for contents in values]

    def decode(self, data: bytes) -> EarlyContents:
        """The contents; StoredValueError if the bytes are not what an `encode` makes for these windows."""
        early, rest = split_early(data)
        made: Contents = self._inner.decode(rest)
        if early and (made.window is None or min(early) < made.window):
            raise StoredValueError(f"stored early results are of no open window: {data[:80]!r}")
        return EarlyContents(made.panes, made.extras, made.window, early)


def is_early_due(last: int | None, event_time: int, every: int) -> bool:
    """Whether a message gives an early result; `last` is the time of the one that gave the last."""
    return not every or last is None or event_time - last >= every


def with_early_results(
    step: Window, access: Access, timers: Timers, add: Emit, result: Result, emit: Emit
) -> Emit:
    """The stage that `add` is, with an early result of every window of a message for which one is due."""
    find, touch = access
    aggregation, grid, every = step.declared.aggregation, grid_of(step.declared), step.declared.early

    def add_and_emit_early(message: Any, key: Any, origin: Any) -> None:
        add(message, key, origin)
        event_time = origin.event_time
        oldest = max(grid.oldest_window(grid.pane_of(event_time)), grid.newest_past_due(timers.watermark) + 1)
        # A late message is in none of them, whatever the policy.
        for window in range(oldest, grid.newest_of(event_time) + 1):
            contents: EarlyContents = find(key) or touch(key)
            if not is_early_due(contents.early.get(window), event_time, every):
                continue
            contents.early[window] = event_time
            made = result(key, contents.fold(window, grid, aggregation), window, False)
            if made is not None:
                emit(made, key, EarlyMoment(event_time, origin.record))

    return add_and_emit_early
