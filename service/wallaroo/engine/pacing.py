"""How much to read at once, when to commit, and how long to wait after a failure. Pure."""

from dataclasses import dataclass

# A slice that takes longer than this keeps a worker from its group's coordinator and from SIGTERM.
_LONGEST_SLICE_SECONDS = 1.0

_FIRST_WAIT_SECONDS = 0.2
# Where workers are killed again and again, what they leave undone waits no longer than this and a session.
_LONGEST_WAIT_SECONDS = 5.0
# Enough for the longest wait: after a night of failures, the power itself would overflow.
_MOST_DOUBLINGS = 10
# Whoever has lived this long has recovered.
STABLE_SECONDS = 30.0


@dataclass(slots=True)
class CommitPacing:
    """When a commit is due: once the input has run dry, or by interval or size under load.

    After a commit has ended, dry input lingers. Times are monotonic seconds.
    """

    interval_seconds: float
    linger_seconds: float
    most_records: int
    started: float
    ended: float

    def is_due(self, now: float, pending: int, *, dry: bool, in_progress: bool) -> bool:
        """Whether to commit `pending` records now, even if the commit in progress has to be waited for."""
        if not pending:
            return False
        if pending >= self.most_records:
            return True
        if in_progress:
            return False
        return now - self.started >= self.interval_seconds or (dry and not self.linger_left(now))

    def linger_left(self, now: float) -> float:
        """For how many more seconds dry input lingers."""
        return max(0.0, self.ended + self.linger_seconds - now)


@dataclass(slots=True)
class PollSize:
    """How many messages one poll takes: those with `most` records, or fewer if user code is slow."""

    most: int
    value: int = 0

    def __post_init__(self) -> None:
        self.value = min(self.value, self.most) or self.most

    def took(self, messages: int, records: int, seconds: float) -> None:
        """Learn from one slice. A message of a repartition topic may hold many records."""
        if seconds > _LONGEST_SLICE_SECONDS:
            self.value = max(1, int(messages * _LONGEST_SLICE_SECONDS / seconds))
        else:
            self.value = min(self.value * 2, max(1, self.most * messages // max(records, messages)))


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a new start: each failure in a row doubles the wait."""

    failures: int = 0

    def after_failure(self, lived_seconds: float) -> "Backoff":
        return Backoff(1) if lived_seconds >= STABLE_SECONDS else Backoff(self.failures + 1)

    @property
    def seconds(self) -> float:
        if not self.failures:
            return 0.0
        doublings = min(self.failures - 1, _MOST_DOUBLINGS)
        return min(_FIRST_WAIT_SECONDS * 2.0**doublings, _LONGEST_WAIT_SECONDS)
