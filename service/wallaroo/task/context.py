"""What the steps of one task are connected to, in its fast and in its careful form.

The fast form pays nothing for failures. The careful form knows which stage failed, and can put back
whatever a failing record did to state.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wallaroo.errors import StoredValueError
from wallaroo.record import Origin, Output
from wallaroo.serde.object_codec import TopicCodec
from wallaroo.state.store import Access, KeyedStore
from wallaroo.task.record_batch import Entry
from wallaroo.windows.reports import Reports
from wallaroo.windows.timers import Timers, WindowTrigger
from wallaroo.windows.watermark import SourceClock

# (value, key, what it came from): hand a result on. Its time is asked for where it is written.
Emit = Callable[[Any, bytes | None, Origin], None]
# The bytes of a value that crosses a topic.
Encode = Callable[[Any], bytes]


def _nothing_moves(_event_time: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class TimeContext:
    """What keeps time in one form of a task; empty where nothing does.

    `timers` are shared by both forms. `firings` fills up as stages are composed, the last stage first.
    `clock` is that of a source, and `moved` is called with an event time that is ahead of it. `late` counts
    late messages by stage, `dropped` what is given up by (stage, reason).
    """

    timers: Mapping[str, Timers] = field(default_factory=dict)
    firings: list[WindowTrigger] = field(default_factory=list)
    clock: SourceClock | None = None
    moved: Callable[[int], None] = _nothing_moves
    reports: Reports | None = None
    late: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)


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
