"""What the steps of one task are connected to, in its fast and in its careful form.

The fast form pays nothing for failures. The careful form knows which stage failed, and can put back
whatever a failing record did to state.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wallaroo.errors import StoredValueError
from wallaroo.record import Emit, Origin, Output
from wallaroo.serde.object_codec import TopicCodec
from wallaroo.state.store import Access, KeyedStore
from wallaroo.task.record_batch import Entry
from wallaroo.windows.stage import TimeContext

# The bytes of a value that crosses a topic.
Encode = Callable[[Any], bytes]


class RepartitionWriter(Protocol):
    """The way into one repartition topic: `send` holds one function for each of its partitions."""

    @property
    def send(self) -> Sequence[Callable[[Entry], None]]: ...

    def control(self, output: Output) -> None:
        """Write a control record, behind all that has been sent to its partition."""


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What the steps of one task are connected to.

    Without a `hop`, what goes to a repartition topic is not packed.
    """

    append: Callable[[Output], None]
    stores: Mapping[str, KeyedStore]
    partition: int
    partitions: Mapping[str, int]
    values: TopicCodec
    guard: Callable[[str, Emit], Emit]
    access: Callable[[KeyedStore], Access]
    lane: TimeContext = field(default_factory=TimeContext)
    hop: RepartitionWriter | None = None


class StageError(Exception):
    """Carries the name of the stage in which user code failed; the failure itself is the cause."""


def unguarded(_name: str, emit: Emit) -> Emit:
    return emit


def guarded(name: str, emit: Emit) -> Emit:
    """Name the stage in which a record fails; an undecodable stored value is no fault of the record."""

    def process(value: Any, key: bytes | None, origin: Origin) -> None:
        try:
            emit(value, key, origin)
        except (StageError, StoredValueError):
            raise
        except Exception as error:
            raise StageError(name) from error

    return process


def fast_access(store: KeyedStore) -> Access:
    return Access(store.find, store.touch)


def saving_access(store: KeyedStore) -> Access:
    """Every access by way of `touch_saving`."""
    return Access(_find_nothing, store.touch_saving)


def _find_nothing(_key: bytes) -> None:
    return None
