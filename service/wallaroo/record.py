"""Records as a task reads and writes them: raw records in, pending output records out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# The client chooses the partition from the key.
ANY_PARTITION = -1
# A header of a record in an outbox: its partition in the topic of the other cluster.
CHOSEN_PARTITION = "partition"
# A header of a record in a repartition topic: where it first came from (task/origin.py).
ORIGIN_HEADER = "origin"
# Another one: when it, or the oldest record beside it, arrived at its source (task/arrival.py).
ARRIVAL_HEADER = "arrival"

NANOSECONDS_PER_MS = 1_000_000
NANOSECONDS_PER_SECOND = 1_000_000_000

# One pending output record, in the order of the arguments of confluent-kafka's `produce`:
# (topic, value, key, partition), or (topic, value, key, partition, None, None, timestamp_ms[, headers]).
Output = tuple[Any, ...]
Append = Callable[[Output], None]

# A topic and the number of a partition.
Place = tuple[str, int]


class Origin(Protocol):
    """What a result stems from and takes its timestamp from: (type, milliseconds)."""

    def timestamp(self) -> Any: ...


# (value, key, origin): pass a result on. The origin's timestamp is read only when the result is written.
Emit = Callable[[Any, bytes | None, Origin], None]


class RawRecord(Origin, Protocol):
    """One record as it was read, typed as loosely as a `confluent_kafka.Message`, which is one.

    `value` and `key` are bytes or None, `offset` an int, `timestamp` (type, milliseconds), `headers` a
    list of (name, bytes) or None.
    """

    def value(self) -> Any: ...
    def key(self) -> Any: ...
    def offset(self) -> Any: ...
    def headers(self) -> Any: ...


class Moment:
    """An event time in nanoseconds as the origin of a result; `record` is what it is the time of, if any."""

    __slots__ = ("event_time", "record")

    def __init__(self, event_time: int, record: Any = None) -> None:
        self.event_time = event_time
        self.record = record

    def offset(self) -> int | None:
        """The offset of the record."""
        return None if self.record is None else self.record.offset()

    def timestamp(self) -> tuple[int, int]:
        return 1, self.event_time // NANOSECONDS_PER_MS


class EarlyMoment(Moment):
    """The origin of an early result: another one of the same window follows."""

    __slots__ = ()
    final = False


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of an input topic, which identifies a task."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What one commit writes to one changelog partition; None is a tombstone."""

    store: str
    topic: str
    values: Mapping[bytes, bytes | None]


# What an output came from, within its task: a record as (offset, its place among those of the offset), or a
# window as (stage, due, key).
Cause = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Causes:
    """What the outputs of a replayed batch came from, by index, and its changes, by changelog and key."""

    outputs: Mapping[int, Cause]
    changes: Mapping[tuple[str, bytes], Cause]


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """What an operator is told of a record that has failed: where it is, its key, why, and what became of it.

    `source` is where it came from before it crossed topics of ours, if that is known.
    """

    outcome: str
    error: str
    topic: str
    partition: int
    offset: int
    key: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that one task wants committed together."""

    partition: Partition
    next_offset: int
    records: int
    # When the oldest record arrived at its source; 0 if nobody knows.
    oldest_timestamp_ms: int
    outputs: Sequence[Output]
    changes: Sequence[Changes]
    # Counts by (stage, class of the error) and by (stage, reason).
    dead_letters: Mapping[tuple[str, str], int]
    dropped: Mapping[tuple[str, str], int]
    # Late messages by stage, whatever the policy, and control records among the outputs by topic.
    late: Mapping[str, int] = field(default_factory=dict)
    controls: Mapping[str, int] = field(default_factory=dict)
    # How many records batching saves, by topic.
    saved: Mapping[str, int] = field(default_factory=dict)
    # What is committed with the offset: which topics it belongs to.
    metadata: str = ""
    # None unless the whole batch was replayed.
    causes: Causes | None = None
    # By stage: the first record that has failed, and how many have.
    failures: Mapping[str, tuple[FailedRecord, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rewind:
    """User code failed: roll the task back and read its records again, one at a time."""

    partition: Partition
    failed_offset: int


@dataclass(frozen=True, slots=True)
class Question:
    """Where do these partitions end? A clock moves to `watermark` if that is where it takes them to end.

    `position` is the offset that its task was to read next when this was asked, `upstreams` are the
    positions of idle upstream tasks. `of_input` says that the end of the task's own input is asked for, too.
    """

    asked_ms: int
    position: int
    watermark: int
    upstreams: Mapping[Place, int]
    of_input: bool
