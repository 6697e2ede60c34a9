"""What the steps of one task are connected to, in its fast and in its careful form.

The fast form pays nothing for failures. The careful form knows which stage failed, and can put back
whatever a failing record did to state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from wallaroo.errors import StoredValueError
from wallaroo.record import Output, RawRecord
from wallaroo.state.codec import Codec
from wallaroo.state.store import KeyedStore

# (value, key, the record it came from): hand a result on. Its time is asked for where it is written.
Emit = Callable[[Any, bytes | None, RawRecord], None]


class Access(NamedTuple):
    """A stage's way to its state: `find` a live object that is dirty already, or else `touch` it."""

    find: Callable[[bytes], Any]
    touch: Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the steps of one task are connected to."""

    append: Callable[[Output], None]
    stores: Mapping[str, KeyedStore]
    partition: int
    partitions: Mapping[str, int]
    values: Codec
    guard: Callable[[str, Emit], Emit]
    access: Callable[[KeyedStore], Access]


class StageError(Exception):
    """Carries the name of the stage in which user code failed; the failure itself is the cause."""


def unguarded(_name: str, emit: Emit) -> Emit:
    return emit


def guarded(name: str, emit: Emit) -> Emit:
    """Name the stage in which a record fails; an undecodable stored value is no fault of the record."""

    def process(value: Any, key: bytes | None, origin: RawRecord) -> None:
        try:
            emit(value, key, origin)
        except (StageError, StoredValueError):
            raise
        except Exception as error:
            raise StageError(name) from error

    return process


def fast_access(store: KeyedStore) -> Access:
    return Access(store.dirty.get, store.touch)


def saving_access(store: KeyedStore) -> Access:
    """Every access by way of `touch_saving`."""
    return Access(_find_nothing, store.touch_saving)


def _find_nothing(_key: bytes) -> None:
    return None
