"""SlowRecords: a record that keeps user code busy for long is named, with its stage, while it does.

Rules for whoever edits this file:
1. The loop's thread only sets `work` when it begins and ends a slice, and calls nothing.
2. Everything else runs in the thread that answers the supervisor, several times a second: the other one is
   busy with the record.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass

from wallaroo.clock import Clock
from wallaroo.record import RawRecord
from wallaroo.task.user_code import StagesByCode, place_in

_log = logging.getLogger(__name__)

_LONG_SECONDS = 5.0
_LOG_SECONDS = 60.0
_MOST_SHOWN = 200


# The record in progress, None if it is something else, and whether it is that one or may be a later one.
InProgress = tuple[RawRecord | None, bool]


@dataclass(slots=True)
class _Seen:
    """What began when, with which record; since when that is in progress (monotonic); when it was logged."""

    began: float
    record: RawRecord | None
    since: float
    logged: float | None = None


class SlowRecords:
    """Watches one thread that runs user code; `stages` says which code is of which stage.

    The thread sets `work`, to (when it began, the number of a partition or None), and back to None. `find`
    says what it is at in a partition; what it is at without one is `instead`.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        stages: StagesByCode,
        clock: Clock,
        find: Callable[[int], InProgress | None],
        instead: str,
    ) -> None:
        self.work: tuple[float, int | None] | None = None
        self.thread = 0
        self.seconds = 0.0
        self._name = name
        self._topic = topic
        self._stages = stages
        self._clock = clock
        self._find = find
        self._instead = instead
        self._seen: _Seen | None = None

    def look(self) -> str:
        """What has kept user code busy for long, as a sentence; empty if nothing. To be called often."""
        work, now, seen = self.work, self._clock.monotonic(), self._seen
        found = self._found(work)
        if work is None or found is None:
            self._over(now)
            return ""
        began, (record, _) = work[0], found
        if seen is None or seen.began != began or seen.record is not record:
            self._over(now)
            # The first one of a slice is in progress since then; any other one was not, at the last look.
            since = began if seen is None or seen.began != began else now
            seen = self._seen = _Seen(began, record, since)
        self.seconds = now - seen.since
        if self.seconds < _LONG_SECONDS:
            return ""
        return self._say(seen, self._place(work[1], *found), _key_of(found[0]), now)

    def _found(self, work: tuple[float, int | None] | None) -> InProgress | None:
        if work is None:
            return None
        return (None, True) if work[1] is None else self._find(work[1])

    def _place(self, number: int | None, record: RawRecord | None, is_exact: bool) -> str:
        if record is None:
            return self._instead
        since = "" if is_exact else " or a later one"
        return f"{self._topic}[{number}]@{record.offset()}{since}"

    def _say(self, seen: _Seen, place: str, key: str, now: float) -> str:
        """The text for /readyz, which is open to everybody: the key is for the log alone."""
        stage, where = place_in(sys._current_frames().get(self.thread), self._stages)  # noqa: SLF001
        if seen.logged is None or now - seen.logged >= _LOG_SECONDS:
            seen.logged = now
            details = {"loop": self._name, "stage": stage or "unknown", "record": place, "key": key}
            seconds = round(self.seconds, 1)
            _log.warning("record takes long", extra={**details, "at": where, "seconds": seconds})
        by = f"stage {stage!r}" if stage else "the application's code"
        at = f" ({where})" if where else ""
        return f"{by} has been at one record for {self.seconds:.0f} s: {place}{at}; nothing behind it moves"

    def _over(self, now: float) -> None:
        seen, self._seen, self.seconds = self._seen, None, 0.0
        if seen is not None and seen.logged is not None:
            seconds = round(now - seen.since, 1)
            _log.info("record is done", extra={"loop": self._name, "seconds": seconds})


def _key_of(record: RawRecord | None) -> str:
    key = None if record is None else record.key()
    return "" if key is None else repr(key[:_MOST_SHOWN])
