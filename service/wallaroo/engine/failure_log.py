"""FailureLog: a warning for each record that has failed, but at most one a second for each stage."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from wallaroo.clock import Clock, SystemClock
from wallaroo.record import FailedRecord

_log = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
_LATE_EVERY_SECONDS = 10.0
_LATE_ADVICE = "a longer delay of the window or a longer idle_timeout_ms waits for such records"


@dataclass(slots=True)
class _Stage:
    """When the last line was logged, monotonic seconds; and how many have failed since, and the first."""

    logged: float
    failed: int = 0
    first: FailedRecord | None = None


class FailureLog:
    """Logs the failed records of one loop, once what became of them is committed."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._stages: dict[str, _Stage] = {}
        self._late: dict[str, _Stage] = {}
        # Some have not been logged yet.
        self.waits = False

    def add(self, failures: Mapping[str, tuple[FailedRecord, int]]) -> None:
        """By stage, the first record that has failed, and how many have."""
        for stage, (first, failed) in failures.items():
            at = self._stages.setdefault(stage, _Stage(self._clock.monotonic() - _EVERY_SECONDS))
            at.first, at.failed = at.first or first, at.failed + failed
            self.waits = True
        self.flush()

    def add_late(self, dropped: Mapping[tuple[str, str], int]) -> None:
        """By stage and reason, how many records were dropped: warn of those that were late."""
        now = self._clock.monotonic()
        for (stage, reason), records in dropped.items():
            if reason != "late":
                continue
            at = self._late.setdefault(stage, _Stage(now - _LATE_EVERY_SECONDS))
            at.failed += records
            if now - at.logged >= _LATE_EVERY_SECONDS:
                details = {"stage": stage, "records": at.failed, "advice": _LATE_ADVICE}
                _log.warning("late records dropped", extra=details)
                self._late[stage] = _Stage(now)

    def flush(self) -> None:
        """Log what has waited long enough; to be called often."""
        now = self._clock.monotonic()
        for stage, at in self._stages.items():
            if at.first is not None and now - at.logged >= _EVERY_SECONDS:
                _warn(stage, at.first, at.failed - 1)
                self._stages[stage] = _Stage(now)
        self.waits = any(at.failed for at in self._stages.values())


def _warn(stage: str, failed: FailedRecord, more: int) -> None:
    """One line; `more` have failed in the same stage that have none."""
    details = {
        "stage": stage,
        "error": failed.error,
        "topic": failed.topic,
        "partition": failed.partition,
        "offset": failed.offset,
        "key": failed.key,
    }
    if failed.source:
        details["source"] = failed.source
    if more:
        details["more"] = more
    _log.warning(failed.outcome, extra=details)
