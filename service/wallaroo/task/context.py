"""Dependencies of a task: its application, and what its compiled steps use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wallaroo.errors import NOT_OF_USER_CODE
from wallaroo.record import Append, Emit, Origin, Partition, Place
from wallaroo.serde.object_codec import TopicCodec
from wallaroo.state.store import Access, KeyedStore
from wallaroo.task.arrival import Arrivals
from wallaroo.task.dead_letters import FailureHandler, OnError
from wallaroo.task.origin import CarriedOrigins, Origins, origins_of
from wallaroo.task.repartition import RepartitionWriter, repartition_writers
from wallaroo.task.unreadable import OnUnreadable, follow_policy
from wallaroo.topology.model import Input, SubTopology
from wallaroo.windows.future import FutureBound
from wallaroo.windows.stage import TimeContext

_NO_INPUT = Input("", "")


@dataclass(frozen=True, slots=True)
class ApplicationContext:
    """What all tasks of an application share.

    `max_bytes` is the largest record that each topic takes, `topic_ids` the id of each topic, if it is known:
    filled and updated as the cluster is asked. `ends_before` is where the partitions of repartition topics
    ended before anything was written here.
    `future` is that of the tasks of one sub-topology; whoever drives them keeps its wall clock up to date.
    """

    values: TopicCodec
    partitions: Mapping[str, int]
    dead_letters: str
    on_error: OnError = OnError.DEAD_LETTER
    max_bytes: dict[str, int] = field(default_factory=dict)
    future: FutureBound = field(default_factory=FutureBound)
    topic_ids: dict[str, str] = field(default_factory=dict)
    ends_before: dict[Place, int] = field(default_factory=dict)
    exactly_once: bool = True
    on_unreadable: OnUnreadable = OnUnreadable.FAIL


def application_context(
    values: TopicCodec,
    partitions: Mapping[str, int],
    dead_letters: str,
    on_error: str,
    on_unreadable: str,
    *,
    exactly_once: bool,
) -> ApplicationContext:
    """What the tasks of a running service share; `on_error` and `on_unreadable` are settings."""
    return ApplicationContext(
        values,
        partitions,
        dead_letters,
        OnError(on_error),
        exactly_once=exactly_once,
        on_unreadable=OnUnreadable(on_unreadable),
    )


class StageError(Exception):
    """Carries the name of the stage in which user code failed; the failure itself is the cause."""


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Dependencies of a task's compiled steps; `writers` are by repartition topic.

    Batch mode pays nothing for failures. Replay mode knows which stage failed, and can restore the state that
    a failing record changed.
    """

    append: Append
    stores: Mapping[str, KeyedStore]
    partition: int
    partitions: Mapping[str, int]
    values: TopicCodec
    writers: Mapping[str, RepartitionWriter] = field(default_factory=dict)
    time: TimeContext = field(default_factory=TimeContext)
    replay: bool = False
    origins: Origins = field(default_factory=CarriedOrigins)
    input: Input = _NO_INPUT

    def guard(self, stage: str, emit: Emit) -> Emit:
        """The same function, which in replay mode raises StageError for a failing record."""
        if not self.replay:
            return emit

        def guard_stage(value: Any, key: bytes | None, origin: Origin) -> None:
            try:
                emit(value, key, origin)
            except (StageError, *NOT_OF_USER_CODE):
                raise
            except BaseException as error:
                raise StageError(stage) from error

        return guard_stage

    def access(self, store_name: str) -> Access:
        """Access to a store, which in replay mode saves an object before it is changed."""
        store = self.stores[store_name]
        if self.replay:
            return Access(lambda _key: None, store.touch_saving)
        return Access(store.find, store.touch)


def new_origins(sub: SubTopology, partition: Partition) -> Origins:
    """The origins of the results of one task."""
    return origins_of(partition, is_source=sub.input.is_source)


def new_arrivals(read: Input, writers: Iterable[RepartitionWriter]) -> Arrivals | None:
    """When the records of one task arrived; None where the timestamp of each says it."""
    is_event_time = read.event_time is not None
    return None if read.is_source and not is_event_time else Arrivals(writers, is_event_time=is_event_time)


def new_writers(
    sub: SubTopology, append: Append, application: ApplicationContext, origins: Origins
) -> Mapping[str, RepartitionWriter]:
    """The writers of one task, by repartition topic."""
    return repartition_writers(sub.targets, append, application.partitions, application.max_bytes, origins)


def puts_aside(
    sub: SubTopology,
    number: int,
    stores: Mapping[str, KeyedStore],
    failures: FailureHandler,
    application: ApplicationContext,
) -> bool:
    """Whether what cannot be read is put aside; the stores of a task do it from now on, or fail."""
    return follow_policy(application.on_unreadable, sub, number, stores, failures)
