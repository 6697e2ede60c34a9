"""The interface of a store: the keyed state of one stage in one partition.

A key has bytes, as they were last committed, and once it is touched a live object, which user code changes.
Everything outside of `state/` goes through these methods.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from wallaroo.errors import StoredValueError
from wallaroo.serde.object_codec import Codec

# The key under which a changelog holds the position of its task (`task/position.py`), and no state.
POSITION_KEY = b"\x00wallaroo\x00position"
# A key that no state has: what is written under it is a deletion, only to end a transaction there
# (`engine/lost_ends.py`), and every version restores nothing from it.
END_KEY = b"\x00wallaroo: end of a transaction\x00"


# Called with the name of the store, a key, its stored bytes and why these cannot be read.
PutAside = Callable[[str, bytes, bytes, StoredValueError], None]


class KeyedStore(Protocol):
    """`len` is the number of committed keys; an empty store is falsy, so compare with None."""

    @property
    def name(self) -> str: ...

    def __len__(self) -> int: ...

    @property
    def find(self) -> Callable[[bytes], Any]:
        """Returns the live object of a key that is dirty, else None; a stage asks for this function once."""

    def touch(self, key: bytes) -> Any:
        """Make a key dirty and return its live object: decoded if it is stored, else new."""

    def end(self, key: bytes) -> None:
        """Delete the state of a key that was touched: the next `touch` makes a new one."""

    def put_aside_with(self, put_aside: PutAside) -> None:
        """Let `touch` begin a key anew whose stored bytes cannot be read, unless this function raises."""

    def put(self, key: bytes, value: Any) -> None:
        """Replace the object of a key."""

    def live(self, key: bytes) -> Any:
        """The live object of a key, dirty or not; None if it was not touched."""

    def current(self, key: bytes) -> bytes | None:
        """The bytes of a key as it is now, committed or not; None if it has none."""

    def get(self, key: bytes) -> bytes | None:
        """The committed bytes of a key."""

    def peek(self, key: bytes) -> Any:
        """A copy of the committed state of a key; KeyError if there is none."""

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Every committed key and its bytes."""

    def size_bytes(self) -> int:
        """The bytes of all committed keys and values, by a sample where there are many."""

    def restore(self, key: bytes, data: bytes | None) -> None:
        """Take over one record of the changelog; None removes the key."""

    def collect(self) -> Mapping[bytes, bytes | None]:
        """Freeze the dirty keys; StateError, with nothing changed, if one cannot be encoded."""

    def commit(self) -> None:
        """What was collected last has been committed."""

    def rollback(self) -> None:
        """Go back to what is committed."""

    def touch_saving(self, key: bytes) -> Any:
        """As `touch`, so that `undo` can put the object back as it is now."""

    @property
    def touched(self) -> Iterable[bytes]:
        """The keys that were touched since the last `keep` or `undo`."""

    def keep(self) -> None:
        """Accept what was done since the last `keep` or `undo`; StateError if it cannot be encoded."""

    def undo(self) -> None:
        """Put every key touched since the last `keep` or `undo` back as it was."""


class StoreFormat(NamedTuple):
    """What a store knows of its objects: how to make one, its bytes, and whether its key can go.

    `shown` is what `peek` shows of an object that holds more than the user's own.
    """

    initial: Callable[[], Any]
    codec: Codec
    expired: Callable[[Any], bool] | None = None
    shown: Callable[[Any], Any] | None = None


class Access(NamedTuple):
    """How a stage gets at its state: `find` a live object that is dirty already, or else `touch` it."""

    find: Callable[[bytes], Any]
    touch: Callable[[bytes], Any]
