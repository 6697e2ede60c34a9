"""Decide whether a process group is healthy (restart it?) and ready (send it work?); pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Leaves the restart back-off its time.
_DEAD_SECONDS = 60.0
_SILENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """What a loop has not been able to commit: since when, to which topics, why the last attempt failed."""

    since_ms: int
    """Milliseconds since the Unix epoch."""
    topics: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """What one loop (one sub-topology, or one delivery) of a worker last said about itself."""

    name: str
    assigned: bool
    """The group has answered, even if with no partition."""
    partitions: int
    restoring: int
    """How many of the partitions are still being restored."""
    connected: bool
    """The loop's sink is connected; True if there is none."""
    problem: str | None
    """Why the loop has stopped, as a sentence without a full stop."""
    obstacle: str = ""
    """What else keeps the loop from being ready, as a sentence without a full stop."""
    uncommitted: Uncommitted | None = None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What the supervisor knows about one worker."""

    index: int
    alive: bool
    last_answer: float
    """Monotonic seconds of its last answer, or of its start if there is none yet."""
    ready: bool
    """It has started and reports its loops."""
    loops: tuple[LoopStatus, ...]


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A verdict and, if it is negative, the reasons: sentences for an operator."""

    ok: bool
    reasons: tuple[str, ...] = ()


def health(statuses: Sequence[WorkerStatus], now: float) -> HealthReport:
    """Not ok if a worker has been dead or silent for too long, or one of its loops has stopped."""
    return _report(reason for status in statuses for reason in _worker_problems(status, now))


def readiness(statuses: Sequence[WorkerStatus]) -> HealthReport:
    """Ok if every loop of every worker is assigned, restored and connected."""
    if not statuses:
        return HealthReport(False, ("no worker has been started yet; look at the log of the supervisor",))
    return _report(reason for status in statuses for reason in _worker_obstacles(status))


def _report(reasons: Iterable[str]) -> HealthReport:
    found = tuple(reasons)
    return HealthReport(not found, found)


def _worker_problems(status: WorkerStatus, now: float) -> list[str]:
    silence = now - status.last_answer
    worker = f"worker {status.index}"
    if not status.alive and silence > _DEAD_SECONDS:
        return [
            f"{worker} died {silence:.0f} s ago and has not come back (limit {_DEAD_SECONDS:g} s); "
            "look at its last log lines and at wallaroo_worker_restarts_total"
        ]
    if status.alive and silence > _SILENT_SECONDS:
        return [
            f"{worker} has been silent for {silence:.0f} s (limit {_SILENT_SECONDS:g} s): it hangs in "
            "user code or in Kafka; look at its log and at wallaroo_process_duration_seconds"
        ]
    return [_stopped(status.index, loop) for loop in status.loops if loop.problem is not None]


def _worker_obstacles(status: WorkerStatus) -> list[str]:
    worker = f"worker {status.index}"
    if not status.alive:
        return [f"{worker} is not running; look at its last log lines and at wallaroo_worker_restarts_total"]
    if not status.ready or not status.loops:
        return [f"{worker} is starting; if this lasts, look at its log and at the broker"]
    return [reason for loop in status.loops for reason in _loop_obstacles(status.index, loop)]


def _loop_obstacles(worker: int, loop: LoopStatus) -> list[str]:
    where = f"worker {worker}, loop {loop.name!r}"
    if loop.problem is not None:
        return [_stopped(worker, loop)]
    reasons = []
    if not loop.assigned:
        reasons.append(f"{where}: no partitions assigned yet; look at its consumer group and at the broker")
    if loop.restoring:
        reasons.append(
            f"{where}: restoring {loop.restoring} of {loop.partitions} partitions; "
            "watch wallaroo_restore_remaining_records go down"
        )
    if not loop.connected:
        reasons.append(
            f"{where}: its sink is not connected; see that the receiver listens, and wallaroo_sink_connected"
        )
    if loop.obstacle:
        reasons.append(f"{where}: {loop.obstacle}")
    return reasons


def _stopped(worker: int, loop: LoopStatus) -> str:
    return f"worker {worker}, loop {loop.name!r} has stopped: {loop.problem}; look at the log of the worker"
