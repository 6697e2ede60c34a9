"""Dependencies of a task's compiled steps: in batch mode, and in replay mode.

Batch mode pays nothing for failures. Replay mode knows which stage failed, and can restore the state that
a failing record changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.record import Emit, Origin, Output
from wallaroo.serde.object_codec import TopicCodec
from wallaroo.state.store import Access, KeyedStore
from wallaroo.task.dead_letters import OnError
from wallaroo.task.repartition import RepartitionWriter
from wallaroo.windows.stage import TimeContext


@dataclass(frozen=True, slots=True)
class ApplicationContext:
    """What all tasks of an application share.

    `max_bytes` is the largest record that each topic takes: filled and updated as the cluster is asked.
    """

    values: TopicCodec
    partitions: Mapping[str, int]
    dead_letters: str
    on_error: OnError = OnError.DEAD_LETTER
    max_bytes: dict[str, int] = field(default_factory=dict)


class StageError(Exception):
    """Carries the name of the stage in which user code failed; the failure itself is the cause."""


def unguarded(_name: str, emit: Emit) -> Emit:
    return emit


def guarded(name: str, emit: Emit) -> Emit:
    """Raise StageError for a failing record, but StoredValueError as it is: the record is not to blame."""

    def guard_stage(value: Any, key: bytes | None, origin: Origin) -> None:
        try:
            emit(value, key, origin)
        except (StageError, StoredValueError):
            raise
        except Exception as error:
            raise StageError(name) from error

    return guard_stage


def fast_access(store: KeyedStore) -> Access:
    return Access(store.find, store.touch)


def saving_access(store: KeyedStore) -> Access:
    """Access that saves an object before it is changed."""
    return Access(_find_nothing, store.touch_saving)


def _find_nothing(_key: bytes) -> None:
    return None


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What the steps of one task are connected to, in batch mode; `writers` are by repartition topic."""

    append: Callable[[Output], None]
    stores: Mapping[str, KeyedStore]
    partition: int
    partitions: Mapping[str, int]
    values: TopicCodec
    writers: Mapping[str, RepartitionWriter] = field(default_factory=dict)
    time: TimeContext = field(default_factory=TimeContext)
    guard: Callable[[str, Emit], Emit] = unguarded
    access: Callable[[KeyedStore], Access] = fast_access

    def for_replay(self, time: TimeContext) -> "TaskContext":
        """The same in replay mode."""
        return replace(self, time=time, guard=guarded, access=saving_access)
