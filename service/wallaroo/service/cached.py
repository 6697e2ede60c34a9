"""Cached: what is made when somebody asks, and kept for a moment for all who ask."""

import threading
from collections.abc import Callable
from typing import Any


class Cached:
    """What `make` returned last, for as long as it is new enough; one thread makes it, the others wait."""

    def __init__(self, make: Callable[[], Any], lasts_ms: int, now_ms: Callable[[], int]) -> None:
        self._make = make
        self._lasts_ms = lasts_ms
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._made_ms: int | None = None
        self._value: Any = None

    def __call__(self) -> Any:
        with self._lock:
            # The time of day may be set back.
            if self._made_ms is None or not 0 <= self._now_ms() - self._made_ms < self._lasts_ms:
                self._value = self._make()
                self._made_ms = self._now_ms()
            return self._value

    def forget(self) -> None:
        """Make it anew for whoever asks next."""
        with self._lock:
            self._made_ms = None
