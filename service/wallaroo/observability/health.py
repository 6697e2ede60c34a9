"""Decide whether a process group is healthy (restart it?) and ready (send it work?); pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Leaves the restart back-off its time.
_DEAD_SECONDS = 60.0
_SILENT_SECONDS = 30.0
# So that it is told within ten seconds.
_STILL_SECONDS = 9.0
# A worker that dies again and again: from so many deaths on, until it has lived for a while.
_MANY_DEATHS = 3
_RECOVERED_SECONDS = 10.0


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
    deaths: int = 0
    """How often it has died in a row, each time soon after its start."""
    failing_since: float = 0.0
    """Monotonic seconds of the first of these deaths."""
    started: float = 0.0
    """Monotonic seconds of its last start."""
    last_death: str = ""
    """How it ended last: its exit code, and why."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A verdict and, if it is negative, the reasons: sentences for an operator."""

    ok: bool
    reasons: tuple[str, ...] = ()


def health(statuses: Sequence[WorkerStatus], now: float, *, cluster_is_away: bool = False) -> HealthReport:
    """Not ok if a worker has been dead or silent for too long, keeps dying, or one of its loops has stopped.

    While the cluster is away, workers may die of that, and restarting the process would not help.
    """
    return _report(reason for status in statuses for reason in _worker_problems(status, now, cluster_is_away))


def readiness(statuses: Sequence[WorkerStatus], now: float) -> HealthReport:
    """Ok if every loop of every worker is assigned, restored and connected, and no worker keeps dying."""
    if not statuses:
        return HealthReport(False, ("no worker has been started yet; look at the log of the supervisor",))
    return _report(reason for status in statuses for reason in _worker_obstacles(status, now))


def _report(reasons: Iterable[str]) -> HealthReport:
    found = tuple(reasons)
    return HealthReport(not found, found)


def _worker_problems(status: WorkerStatus, now: float, cluster_is_away: bool) -> list[str]:
    silence = now - status.last_answer
    worker = f"worker {status.index}"
    failing = status.deaths >= _MANY_DEATHS and now - status.failing_since > _DEAD_SECONDS
    if failing and not cluster_is_away:
        return [f"{_deaths(status)}, for {now - status.failing_since:.0f} s (limit {_DEAD_SECONDS:g} s)"]
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


def _deaths(status: WorkerStatus) -> str:
    return (
        f"worker {status.index} has died {status.deaths} times in a row, the last time by {status.last_death}"
    )


def _worker_obstacles(status: WorkerStatus, now: float) -> list[str]:
    worker = f"worker {status.index}"
    if status.deaths >= _MANY_DEATHS and (not status.alive or now - status.started < _RECOVERED_SECONDS):
        return [f"{_deaths(status)}; look at its log and at wallaroo_worker_restarts_total"]
    if not status.alive:
        why = f" ({status.last_death})" if status.last_death else ""
        return [
            f"{worker} is not running{why}; look at its last log lines and at wallaroo_worker_restarts_total"
        ]
    if not status.ready or not status.loops:
        return [f"{worker} is starting; if this lasts, look at its log and at the broker"]
    silence = now - status.last_answer
    if silence > _STILL_SECONDS:
        return [
            f"{worker} has not answered for {silence:.0f} s: it stands still, or a call of user code does "
            "not let it answer; look at its log and at wallaroo_worker_answer_age_seconds"
        ]
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
