"""MemoryStore: committed bytes below, live objects above.

Rules for whoever edits this file:
1. `_committed` changes only when Kafka has the bytes: by `restore`, or by `commit`.
2. User code mutates live objects; one that is handed out is in `_dirty` until the next commit, which is
   where a stage looks first.
3. `collect` freezes the dirty keys as bytes; until the commit is decided they are in flight, and a
   rollback forgets the live objects of both the dirty keys and those in flight.
4. In a store that can tell which objects have expired, these become tombstones. The live object stays until
   the tombstone is committed, or `touch` would find the old bytes.
5. A key that was ended has no live object, and its committed bytes do not count: it is in `_ended`, and once
   collected in `_tombstones`, until its tombstone is committed.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, islice
from typing import Any

from wallaroo.errors import Interrupt, StateError, StoredValueError, text_of
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import POSITION_KEY, PutAside

# Of the oldest keys, and of the newest ones, so many are weighed to say how large a store is.
_SAMPLE = 500


class MemoryStore:
    """A KeyedStore in two dictionaries; `expired` says of an object whether its key can go.

    `shown` is what `peek` returns of an object.
    """

    def __init__(
        self,
        name: str,
        initial: Callable[[], Any],
        codec: Codec,
        expired: Callable[[Any], bool] | None = None,
        shown: Callable[[Any], Any] | None = None,
    ) -> None:
        self.name = name
        self._committed: dict[bytes, bytes] = {}
        self._live: dict[bytes, Any] = {}
        self._dirty: dict[bytes, Any] = {}
        # Asked for on every record and every window: lookups in the dictionaries themselves.
        self.find: Callable[[bytes], Any] = self._dirty.get
        self.live: Callable[[bytes], Any] = self._live.get
        self._initial = initial
        self._codec = codec
        self._expired = expired
        self._shown = shown
        self._in_flight: dict[bytes, bytes] = {}
        # Keys that were ended since the last `collect`; those of them that `undo` brings back; and keys whose
        # tombstones are in flight.
        self._ended: set[bytes] = set()
        self._just_ended: set[bytes] = set()
        self._tombstones: dict[bytes, None] = {}
        self._saved: dict[bytes, bytes | None] = {}
        # What becomes of a stored value that cannot be read: raises, or puts it aside.
        self._put_aside: PutAside | None = None

    def __len__(self) -> int:
        return len(self._committed)

    def touch(self, key: bytes) -> Any:
        found = self._live.get(key)
        if found is None:
            stored = self._committed.get(key)
            found = self._initial() if stored is None or self._is_gone(key) else self._read(key, stored)
            self._live[key] = found
        self._dirty[key] = found
        return found

    def end(self, key: bytes) -> None:
        self._live.pop(key, None)
        self._dirty.pop(key, None)
        if key not in self._ended and key in self._saved:
            self._just_ended.add(key)
        self._ended.add(key)

    def _is_gone(self, key: bytes) -> bool:
        """Whether the committed bytes of a key without a live object do not count."""
        return key in self._ended or key in self._tombstones

    def put_aside_with(self, put_aside: PutAside) -> None:
        self._put_aside = put_aside

    def _read(self, key: bytes, stored: bytes) -> Any:
        try:
            return self._codec.decode(stored)
        except StoredValueError as error:
            if self._put_aside is None:
                raise
            self._put_aside(self.name, key, stored, error)
            return self._initial()

    def put(self, key: bytes, value: Any) -> None:
        self._live[key] = self._dirty[key] = value

    def current(self, key: bytes) -> bytes | None:
        if key in self._live:
            return self._encode(key, self._live[key])
        return None if self._is_gone(key) else self._committed.get(key)

    def get(self, key: bytes) -> bytes | None:
        return self._committed.get(key)

    def peek(self, key: bytes) -> Any:
        found = self._codec.decode(self._committed[key])
        return found if self._shown is None else self._shown(found)

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        return self._committed.items()

    def size_bytes(self) -> int:
        items = self._committed.items()
        if len(items) <= 2 * _SAMPLE:
            return sum(len(key) + len(value) for key, value in items)
        # A dictionary is in the order in which its keys came.
        sampled = chain(islice(items, _SAMPLE), islice(reversed(items), _SAMPLE))
        return round(sum(len(key) + len(value) for key, value in sampled) / (2 * _SAMPLE) * len(items))

    def restore(self, key: bytes, data: bytes | None) -> None:
        if data is None:
            self._committed.pop(key, None)
        else:
            self._committed[key] = data

    def collect(self) -> Mapping[bytes, bytes | None]:
        values, committed = self._dirty, self._committed
        if POSITION_KEY in values:
            self._encode(POSITION_KEY, None)
        gone: dict[bytes, Any] = {}
        if (expired := self._expired) is not None:
            gone = {key: value for key, value in values.items() if expired(value)}
            if gone:
                values = {key: value for key, value in values.items() if key not in gone}
        try:
            made = self._codec.encode_all(list(values.values()))
        except Interrupt:
            raise
        except BaseException:  # whatever the user's own pickling raises; say for which key
            for key, value in values.items():
                self._encode(key, value)
            raise
        known = map(committed.get, values)
        self._in_flight = {key: new for key, new, old in zip(values, made, known, strict=True) if new != old}
        ended = [key for key in self._ended if key not in self._dirty]
        self._dirty.clear()
        self._ended.clear()
        self._just_ended.clear()
        if not gone and not ended:
            return self._in_flight
        # A key that was never committed needs no tombstone.
        self._tombstones = dict.fromkeys(key for key in (*gone, *ended) if key in committed)
        self._forget(key for key in gone if key not in committed)
        return {**self._in_flight, **self._tombstones}

    def commit(self) -> None:
        self._committed.update(self._in_flight)
        self._in_flight = {}
        for key in self._tombstones:
            del self._committed[key]
            if key not in self._dirty:
                self._live.pop(key, None)
        self._tombstones = {}

    def rollback(self) -> None:
        self._forget([*self._in_flight, *self._tombstones, *self._dirty])
        self._dirty.clear()
        self._ended.clear()
        self._just_ended.clear()
        self._in_flight = {}
        self._tombstones = {}

    def touch_saving(self, key: bytes) -> Any:
        if key not in self._saved:
            if key in self._dirty:
                self._saved[key] = self._encode(key, self._dirty[key])
            elif key in self._tombstones and key in self._live:
                self._saved[key] = self._codec.encode(self._initial())
            elif self._is_gone(key):
                self._saved[key] = None
            else:
                # A clean object is what is in flight, or else what is committed: forgetting it restores that.
                self._saved[key] = self._in_flight.get(key)
        return self.touch(key)

    @property
    def touched(self) -> Iterable[bytes]:
        return self._saved.keys()

    def keep(self) -> None:
        for key in self._saved:
            if key in self._dirty:
                self._encode(key, self._dirty[key])
        self._saved.clear()
        self._just_ended.clear()

    def undo(self) -> None:
        for key, saved in self._saved.items():
            if saved is None:
                self._live.pop(key, None)
                self._dirty.pop(key, None)
            else:
                self._live[key] = self._dirty[key] = self._codec.decode(saved)
        self._saved.clear()
        self._ended -= self._just_ended
        self._just_ended.clear()

    def _encode(self, key: bytes, value: Any) -> bytes:
        if key == POSITION_KEY:
            raise StateError(
                f"the key {key!r} is kept for the position of a task: {self.name!r} can have no state for it",
                self.name,
            )
        try:
            return self._codec.encode(value)
        except Interrupt:
            raise
        except BaseException as error:  # whatever the user's own pickling raises
            raise StateError(
                f"the state of {self.name!r} for key {key!r} cannot be stored: {text_of(error, repr)}; keep "
                "only values that can be pickled in a state, or define serialize and deserialize in the "
                "application",
                self.name,
            ) from error

    def _forget(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self._live.pop(key, None)
