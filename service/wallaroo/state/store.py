"""KeyedStore: committed bytes below, live objects above.

Rules for whoever edits this file:
1. `committed` changes only when Kafka has the bytes: by a restore, or by `committed_changes`.
2. User code mutates live objects; one that is handed out is in `dirty` until the next commit, which is
   where a stage looks first.
3. `collect` freezes the dirty keys as bytes; until the commit is decided they are in flight, and a
   rollback forgets the live objects of both the dirty keys and those in flight.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wallaroo.errors import StateError
from wallaroo.state.codec import Codec


class KeyedStore:
    """The state of one stage in one partition."""

    __slots__ = ("_codec", "_in_flight", "_initial", "_saved", "committed", "dirty", "live", "name")

    def __init__(self, name: str, initial: Callable[[], Any], codec: Codec) -> None:
        self.name = name
        self.committed: dict[bytes, bytes] = {}
        self.live: dict[bytes, Any] = {}
        self.dirty: dict[bytes, Any] = {}
        self._initial = initial
        self._codec = codec
        self._in_flight: dict[bytes, bytes] = {}
        self._saved: dict[bytes, bytes | None] = {}

    def touch(self, key: bytes) -> Any:
        """Make a key dirty and return its live object: decoded if it is stored, else new."""
        found = self.live.get(key)
        if found is None:
            stored = self.committed.get(key)
            found = self._initial() if stored is None else self._codec.decode(stored)
            self.live[key] = found
        self.dirty[key] = found
        return found

    def collect(self) -> Mapping[bytes, bytes]:
        """Freeze the dirty keys; StateError, with nothing changed, where one cannot be encoded."""
        known, encode = self.committed.get, self._codec.encode
        try:
            changes = {
                key: made for key, value in self.dirty.items() if (made := encode(value)) != known(key)
            }
        except Exception:  # whatever the user's own pickling raises; say for which key
            for key, value in self.dirty.items():
                self._encode(key, value)
            raise
        self.dirty.clear()
        self._in_flight = changes
        return changes

    def commit_succeeded(self) -> None:
        """What is in flight has been committed."""
        self.committed.update(self._in_flight)
        self._in_flight = {}

    def rollback(self) -> None:
        """Back to what is committed."""
        self._forget(self._in_flight)
        self._forget(self.dirty)
        self.dirty.clear()
        self._in_flight = {}

    def touch_saving(self, key: bytes) -> Any:
        """As `touch`, so that `undo` can put the object back as it is now."""
        found = self.dirty.get(key)
        if found is not None:
            if key not in self._saved:
                self._saved[key] = self._encode(key, found)
            return found
        # A clean object is what is in flight, or else what is committed: forgetting it puts that back.
        self._saved.setdefault(key, self._in_flight.get(key))
        return self.touch(key)

    def keep(self) -> None:
        """Let stand what was done since the last `keep` or `undo`; StateError if it cannot be encoded."""
        for key in self._saved:
            self._encode(key, self.dirty[key])
        self._saved.clear()

    def undo(self) -> None:
        """Put every key touched since the last `keep` or `undo` back as it was."""
        for key, saved in self._saved.items():
            if saved is None:
                self.live.pop(key, None)
                self.dirty.pop(key, None)
            else:
                self.live[key] = self.dirty[key] = self._codec.decode(saved)
        self._saved.clear()

    def peek(self, key: bytes) -> Any:
        """A copy of the committed state of a key; KeyError where there is none."""
        return self._codec.decode(self.committed[key])

    def _encode(self, key: bytes, value: Any) -> bytes:
        try:
            return self._codec.encode(value)
        except Exception as error:  # whatever the user's own pickling raises
            raise StateError(
                f"the state of {self.name!r} for key {key!r} cannot be stored: {error!r}; keep only values "
                "that can be pickled in a state, or define serialize and deserialize in the application",
                self.name,
            ) from error

    def _forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self.live.pop(key, None)
