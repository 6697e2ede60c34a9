"""When a commit is due: at once when the input has run dry, by interval or size under load. Pure."""

from dataclasses import dataclass

# The broker is still writing the markers of the last transaction; beginning the next one sooner makes
# the client back off for 20 ms.
_GAP_SECONDS = 0.003


@dataclass(slots=True)
class Pace:
    """The commits of one loop; times are monotonic seconds."""

    interval_seconds: float
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
        return now - self.started >= self.interval_seconds or (dry and now - self.landed >= _GAP_SECONDS)
