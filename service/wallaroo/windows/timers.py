"""Timers: when the windows of one stage in one task are due, whatever their key.

Rules for whoever edits this file:
1. An entry of the heap may be out of date: what counts is what the store says when the entry is popped.
2. After a restore or a rollback the entries are read off stored bytes; nothing is decoded for them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappush
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.state.store import KeyedStore
from wallaroo.windows.watermark import NEVER


@dataclass(frozen=True, slots=True)
class DueTimes:
    """When the windows of one step are due, in event time.

    `of_live` takes what a key holds, and returns None if that is nothing; `of_stored` reads the bytes of a
    key without decoding them. Results are held back for `delay` after the end of their window.
    `has_missed(event_time, watermark)` says whether any window of a moment is past due. `moves` says that a
    window that is open may become due later, as it gets messages.
    """

    delay: int
    of_live: Callable[[Any], int | None]
    of_stored: Callable[[bytes], int]
    has_missed: Callable[[int, int], bool]
    moves: bool = False


# Of a stage that only wants to know how far the windows before it have come.
NOTHING_DUE = DueTimes(0, lambda _live: None, lambda _data: NEVER, lambda _event_time, _watermark: False)


class Timers:
    """Due times and keys of one stage; `watermark` is the stage's own.

    That is the task's watermark less `preceding_delay`, the sum of the delays of the window stages before
    it: what these have not fired yet may still come.
    """

    def __init__(self, store: KeyedStore, due_times: DueTimes, preceding_delay: int) -> None:
        self.delay = due_times.delay
        self.preceding_delay = preceding_delay
        self.watermark = NEVER
        self.heap: list[tuple[int, bytes]] = []
        self._store = store
        self._due_times = due_times
        # Where due times move, the entry of each key that counts: the earliest.
        self._scheduled: dict[bytes, int] = {}

    def rebuild(self, watermark: int) -> None:
        """Reset to the committed state of the store, and to this watermark of the task."""
        self.watermark = watermark - self.preceding_delay
        due = self._due_times.of_stored
        self.heap.clear()
        for key, data in self._store.items():
            try:
                self.heap.append((due(data), key))
            except StoredValueError:
                # Raises, or puts aside what is stored.
                self._store.touch(key)
        heapify(self.heap)
        self._scheduled = {key: due for due, key in self.heap} if self._due_times.moves else {}

    def add(self, due: int, key: bytes) -> None:
        heappush(self.heap, (due, key))

    def schedule(self, due: int, key: bytes) -> None:
        """Add an entry where due times move, unless the key has an earlier one: that will tell."""
        known = self._scheduled.get(key)
        if known is None or due < known:
            self._scheduled[key] = due
            heappush(self.heap, (due, key))

    def is_due(self, due: int, key: bytes) -> bool:
        """Whether an entry that was popped still holds; if the window has moved, it is added again."""
        if self._scheduled.get(key) == due:
            del self._scheduled[key]
        current = self.due(key)
        if current is not None and current != due:
            self.schedule(current, key)
        return current == due

    def due(self, key: bytes) -> int | None:
        """When the next window of a key is due; None if the key holds nothing."""
        live = self._store.live(key)
        if live is not None:
            return self._due_times.of_live(live)
        stored = self._store.get(key)
        return None if stored is None else self._due_times.of_stored(stored)

    def current(self, key: bytes) -> bytes | None:
        """The bytes of everything that a key holds now."""
        return self._store.current(key)
