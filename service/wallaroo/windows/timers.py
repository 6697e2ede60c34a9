"""Timers: when the windows of one stage in one task are due, whatever their key.

Rules for whoever edits this file:
1. An entry may be out of date: what counts is what the store says when its time has come.
2. After a restore or a rollback the entries are made of stored bytes; nothing is decoded for it.
"""

from collections.abc import Callable
from heapq import heapify, heappush
from typing import NamedTuple

from wallaroo.state.store import KeyedStore
from wallaroo.windows.contents import Contents
from wallaroo.windows.grid import Grid
from wallaroo.windows.stored import window_reader
from wallaroo.windows.watermark import NEVER


class Timers:
    """Due times and keys of one stage; `watermark` is the stage's own.

    That is the task's less `lag`, the delays of the window stages before it: what these have not fired yet
    may still come.
    """

    __slots__ = ("_next_window", "_store", "grid", "heap", "lag", "watermark")

    def __init__(self, store: KeyedStore, grid: Grid, lag: int) -> None:
        self.grid = grid
        self.lag = lag
        self.watermark = NEVER
        self.heap: list[tuple[int, bytes]] = []
        self._store = store
        self._next_window = window_reader(grid)

    def rebuild(self, watermark: int) -> None:
        """Be as when the store was committed, and with it this watermark of the task."""
        self.watermark = watermark - self.lag
        due, next_window = self.grid.due, self._next_window
        self.heap[:] = [(due(next_window(data)), key) for key, data in self._store.items()]
        heapify(self.heap)

    def add(self, window: int, key: bytes) -> None:
        heappush(self.heap, (self.grid.due(window), key))

    def due(self, key: bytes) -> int | None:
        """When the next window of a key is due; None where it holds nothing."""
        live: Contents | None = self._store.live(key)
        if live is not None:
            return None if live.window is None else self.grid.due(live.window)
        stored = self._store.get(key)
        return None if stored is None else self.grid.due(self._next_window(stored))

    def freeze(self, key: bytes) -> bytes | None:
        """The bytes of all that a key holds."""
        return self._store.current(key)


class WindowTrigger(NamedTuple):
    """A stage whose windows become due; `give_up` closes a window without an output.

    Both take an entry of the timers, which may be out of date.
    """

    name: str
    timers: Timers
    fire: Callable[[int, bytes], None]
    give_up: Callable[[int, bytes], None]
