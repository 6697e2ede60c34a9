"""What supervisor and worker say to each other: over a pipe while both live, by exit code afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol, TypeAlias

from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.connections import Trouble
from wallaroo.observability.answers import StateAnswer
from wallaroo.observability.health import LoopStatus, Uncommitted
from wallaroo.observability.measurements import Snapshot, merged
from wallaroo.settings import Settings
from wallaroo.topology.fingerprint import check_same
from wallaroo.topology.model import Topology


class Exit(IntEnum):
    """How a process of ours ends."""

    CLEAN = 0
    CRASHED = 1
    # Settings, application or topics: trying again without a change is no use.
    REFUSED = 2
    # A record failed and on_error is 'stop'.
    STOPPED = 3


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """All that a worker process needs to know."""

    index: int
    instance: str
    module: str
    args: Sequence[str]
    application_id: str
    settings: Settings
    partitions: Mapping[str, int]
    # The supervisor's: what the worker compiles must be the same.
    topology: Sequence[str] = ()
    # How often this worker has been started again, and what it could not commit before, by loop.
    restarts: int = 0
    uncommitted: Mapping[str, Uncommitted] = field(default_factory=dict)

    def check(self, topology: Topology) -> None:
        """Raise TopologyError if this is not the topology that the supervisor has compiled."""
        check_same(self.topology, topology.fingerprint)


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Asks for the status and the measurements of every loop."""


@dataclass(frozen=True, slots=True)
class StatusReply:
    loops: tuple[LoopStatus, ...]
    measured: Snapshot
    troubles: tuple[Trouble, ...] = ()
    """The brokers that a client of this worker cannot use."""


@dataclass(frozen=True, slots=True)
class ExitReason:
    """What a worker says before it ends, unasked: why."""

    text: str


@dataclass(frozen=True, slots=True)
class StateRequest:
    """Asks for the committed state of a key in a store."""

    store: str
    key: bytes


@dataclass(frozen=True, slots=True)
class KeyAbsent:
    """No state for the key in these partitions; those that are being restored could not be looked into."""

    owned: frozenset[int]
    restoring: frozenset[int]


Request: TypeAlias = StatusRequest | StateRequest
Reply: TypeAlias = StatusReply | StateAnswer | KeyAbsent


class Runnable(Protocol):
    """What a worker runs in a thread."""

    name: str
    metrics: LoopMetrics

    def run(self) -> None: ...
    def resume(self, before: Uncommitted | None) -> None:
        """Go on from what the last worker could not commit; to be called before `run`."""

    def stop(self) -> None: ...
    def status(self) -> LoopStatus: ...


def status_reply(loops: Sequence[Runnable], troubles: tuple[Trouble, ...]) -> StatusReply:
    """What a worker says of its loops: their status first, which is measured, too."""
    statuses = tuple(loop.status() for loop in loops)
    measured = merged(each for loop in loops for each in loop.metrics.snapshots())
    return StatusReply(statuses, measured, troubles)
