"""How much to read at once and when to commit. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """When a commit is due: as soon as the input has run dry, by interval or size under load.

    After a commit has landed, dry input lingers. Times are monotonic seconds.
    """

    interval_seconds: float
    linger_seconds: float
    most_records: int
    started: float
    landed: float

    def due(self, now: float, pending: int, *, dry: bool, in_flight: bool) -> bool:
        """Whether to commit `pending` records now, even if the commit in flight has to be waited for."""
        if not pending:
            return False
        if pending >= self.most_records:
            return True
        if in_flight:
            return False
        return now - self.started >= self.interval_seconds or (dry and self.rest(now) <= 0)

    def rest(self, now: float) -> float:
        """For how many seconds more it is to linger."""
        return self.landed + self.linger_seconds - now


# A list that takes longer than this keeps a worker from its group's coordinator and from SIGTERM.
_LONGEST_LIST_SECONDS = 1.0


@dataclass(slots=True)
class ListSize:
    """How many messages to take at once: those with `most` records, unless fewer are enough for user code."""

    most: int
    value: int = 0

    def __post_init__(self) -> None:
        self.value = min(self.value, self.most) or self.most

    def took(self, messages: int, records: int, seconds: float) -> None:
        """Learn from one list; there is more than one record in a pack."""
        if seconds > _LONGEST_LIST_SECONDS:
            self.value = max(1, int(messages * _LONGEST_LIST_SECONDS / seconds))
        else:
            self.value = min(self.value * 2, max(1, self.most * messages // max(records, messages)))
