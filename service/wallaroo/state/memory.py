"""KeyedStore: committed bytes below, live objects above.

Rules for whoever edits this file:
1. `committed` changes only when Kafka has the bytes: by a restore, or by `committed_changes`.
2. User code mutates live objects; one that is handed out is in `dirty` until the next commit, which is
   where a stage looks first.
3. `collect` freezes the dirty keys as bytes; until the commit is decided they are in flight, and a
   rollback forgets the live objects of both the dirty keys and those in flight.
4. In a store that is told which objects have expired, these become tombstones. The live object stays until
   the tombstone is committed, or `touch` would find the old bytes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wallaroo.errors import StateError
from wallaroo.serde.object_codec import Codec


class KeyedStore:
    """The state of one stage in one partition."""

    __slots__ = (
        *("_codec", "_dying", "_expired", "_in_flight", "_initial", "_saved"),
        *("committed", "dirty", "live", "name"),
    )

    def __init__(
        self,
        name: str,
        initial: Callable[[], Any],
        codec: Codec,
        expired: Callable[[Any], bool] | None = None,
    ) -> None:
        self.name = name
        self.committed: dict[bytes, bytes] = {}
        self.live: dict[bytes, Any] = {}
        self.dirty: dict[bytes, Any] = {}
        self._initial = initial
        self._codec = codec
        self._expired = expired
        self._in_flight: dict[bytes, bytes] = {}
        # Tombstones in flight.
        self._dying: list[bytes] = []
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

    def put(self, key: bytes, value: Any) -> None:
        """Replace the object of a key."""
        self.live[key] = self.dirty[key] = value

    def collect(self) -> Mapping[bytes, bytes | None]:
        """Freeze the dirty keys; StateError, with nothing changed, where one cannot be encoded."""
        if self._expired is not None:
            return self._collect_expiring(self._expired)
        self._in_flight = self._changes(self.dirty)
        self.dirty.clear()
        return self._in_flight

    def commit_succeeded(self) -> None:
        """What is in flight has been committed."""
        self.committed.update(self._in_flight)
        self._in_flight = {}
        for key in self._dying:
            del self.committed[key]
            if key not in self.dirty:
                self.live.pop(key, None)
        self._dying = []

    def rollback(self) -> None:
        """Back to what is committed."""
        self._forget(self._in_flight)
        self._forget(self._dying)
        self._forget(self.dirty)
        self.dirty.clear()
        self._in_flight = {}
        self._dying = []

    def touch_saving(self, key: bytes) -> Any:
        """As `touch`, so that `undo` can put the object back as it is now."""
        found = self.dirty.get(key)
        if found is not None:
            if key not in self._saved:
                self._saved[key] = self._encode(key, found)
            return found
        # A clean object is what is in flight, or else what is committed: forgetting it puts that back.
        self._saved.setdefault(key, self._frozen(key))
        return self.touch(key)

    @property
    def touched(self) -> Iterable[bytes]:
        """The keys that were touched since the last `keep` or `undo`."""
        return self._saved.keys()

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

    def freeze(self, key: bytes) -> bytes | None:
        """The bytes of a key as it is now, committed or not; None where it has nothing."""
        return self._encode(key, self.live[key]) if key in self.live else self.committed.get(key)

    def _collect_expiring(self, expired: Callable[[Any], bool]) -> Mapping[bytes, bytes | None]:
        gone = dict.fromkeys(key for key, value in self.dirty.items() if expired(value))
        self._in_flight = self._changes({k: value for k, value in self.dirty.items() if k not in gone})
        self._dying = [key for key in gone if key in self.committed]
        # What has come and gone between two commits leaves no trace.
        self._forget(key for key in gone if key not in self.committed)
        self.dirty.clear()
        return {**self._in_flight, **dict.fromkeys(self._dying)}

    def _changes(self, values: Mapping[bytes, Any]) -> dict[bytes, bytes]:
        """The bytes of those that are not what is committed; StateError where one cannot be encoded."""
        try:
            made = self._codec.encode_all(list(values.values()))
        except Exception:  # whatever the user's own pickling raises; say for which key
            for key, value in values.items():
                self._encode(key, value)
            raise
        known = map(self.committed.get, values)
        return {key: new for key, new, old in zip(values, made, known, strict=True) if new != old}

    def _frozen(self, key: bytes) -> bytes | None:
        """The bytes of a clean object in flight; None where what is committed counts."""
        if key in self._dying:
            return self._codec.encode(self._initial())
        return self._in_flight.get(key)

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
