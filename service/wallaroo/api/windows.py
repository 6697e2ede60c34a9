"""Windows as they are declared: finished values, which `.over(...)` of a builder returns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from math import gcd
from typing import Any, Generic

from wallaroo.api.checks import check_whole
from wallaroo.api.durations import format_duration
from wallaroo.api.stages import In, Out
from wallaroo.errors import WallarooParameterError

DURATION_ADVICE = "write whole nanoseconds, for example wallaroo.seconds(9) or wallaroo.milliseconds(500)"
# Windows of a day that begin every second are 86,400; every one of them makes an output.
_MOST_WINDOWS_PER_MESSAGE = 100_000
_LONGEST_DELAY = 366 * 24 * 3_600_000_000_000


class LateDataPolicy(StrEnum):
    """What happens to a message whose windows have all closed; Wallaroo's policies, there only strings.

    `DROP` drops it, `FIRE_PER_MESSAGE` emits the output of a window of this message alone, and
    `PLACE_IN_OLDEST_WINDOW` puts it into the oldest window that is still open.
    """

    DROP = "drop"
    FIRE_PER_MESSAGE = "fire-per-message"
    PLACE_IN_OLDEST_WINDOW = "place-in-oldest-window"


class Windows(ABC, Generic[In, Out]):
    """Finished windows of any kind: a declaration that is compiled as it is."""

    __slots__ = ()
    aggregation: Any

    @property
    @abstractmethod
    def kind(self) -> str:
        """What `wallaroo describe` shows of them."""

    @property
    @abstractmethod
    def layout(self) -> str:
        """What is stored for a key; windows of the same layout go on where those before them were."""

    @property
    def duration(self) -> int | None:
        """Nanoseconds from the begin of a window until it is due; None if event time does not make it due."""
        return None

    def name(self) -> str:
        """Return the name of the stage, which is that of its aggregation."""
        return str(self.aggregation.name())


@dataclass(frozen=True, slots=True)
class RangeWindows(Windows[In, Out]):
    """Windows over spans of event time; window k covers [k * slide + offset, k * slide + offset + range).

    Made by `range_windows(...).over(...)`. Times are nanoseconds since the Unix epoch, to which windows are
    aligned but for the offset; Wallaroo's began anywhere. `early` is how far apart early results are: 0 is
    one with every message, None is none.

    Raises WallarooParameterError if a time is not a whole positive number, the slide exceeds the range, the
    offset is not shorter than the slide, a message would be in more than 100,000 windows, or the delay is
    longer than a year.
    """

    range: int
    slide: int
    delay: int
    aggregation: Any
    late_data_policy: LateDataPolicy = LateDataPolicy.DROP
    offset: int = 0
    early: int | None = None

    def __post_init__(self) -> None:
        check_whole("range_windows: the range", self.range, 1, DURATION_ADVICE)
        check_whole("with_slide: the slide", self.slide, 1, DURATION_ADVICE)
        _check_delay(self.delay)
        if self.slide > self.range:
            raise WallarooParameterError(
                f"with_slide: the slide {self.slide} is longer than the range {self.range}, so messages "
                "between two windows would be in none; make it at most the range"
            )
        self._check_extent()
        object.__setattr__(self, "late_data_policy", _checked_policy(self.late_data_policy))
        _check_early(self.early)

    def _check_extent(self) -> None:
        whole = isinstance(self.offset, int) and not isinstance(self.offset, bool)
        if not whole or abs(self.offset) >= self.slide:
            raise WallarooParameterError(
                f"with_offset: the offset must be an int of less than {self.slide} either way, not "
                f"{self.offset!r}: windows begin every {self.slide} nanoseconds anyway; {DURATION_ADVICE}"
            )
        windows = -(-self.range // self.slide)
        if windows > _MOST_WINDOWS_PER_MESSAGE:
            raise WallarooParameterError(
                f"with_slide: with a slide of {format_duration(self.slide)} every message would be in "
                f"{windows:,} windows of {format_duration(self.range)}, and {_MOST_WINDOWS_PER_MESSAGE:,} is "
                "the limit; durations are nanoseconds: use wallaroo.milliseconds(...), wallaroo.seconds(...)"
            )

    @property
    def kind(self) -> str:
        """What `wallaroo describe` shows of them."""
        every = "" if self.slide == self.range else f" every {format_duration(self.slide)}"
        offset = f", offset {format_duration(self.offset)}" if self.offset else ""
        delay = f", delay {format_duration(self.delay)}" if self.delay else ""
        span = format_duration(self.range)
        early = _shown_early(self.early)
        return f"windows of {span}{every}{offset}{delay}, late: {self.late_data_policy}{early}"

    @property
    def layout(self) -> str:
        """What is stored for a key: its panes, which the slide, the offset and their length make."""
        pane = format_duration(gcd(self.range, self.slide))
        return f"windows every {format_duration(self.slide)}, panes of {pane}, offset {self.offset} ns"

    @property
    def duration(self) -> int:
        """Nanoseconds from the begin of a window until it is due."""
        return self.range + self.delay


@dataclass(frozen=True, slots=True)
class SessionWindows(Windows[In, Out]):
    """Windows over messages of one key that are at most `gap` apart in event time.

    Made by `session_windows(...).over(...)`. Times are nanoseconds; `early` is that of `RangeWindows`.

    Raises WallarooParameterError if a time is not a whole positive number, or the delay is longer than a
    year.
    """

    gap: int
    delay: int
    aggregation: Any
    late_data_policy: LateDataPolicy = LateDataPolicy.DROP
    early: int | None = None

    def __post_init__(self) -> None:
        check_whole("session_windows: the gap", self.gap, 1, DURATION_ADVICE)
        _check_delay(self.delay)
        object.__setattr__(self, "late_data_policy", _checked_policy(self.late_data_policy))
        _check_early(self.early)

    @property
    def kind(self) -> str:
        """What `wallaroo describe` shows of them."""
        delay = f", delay {format_duration(self.delay)}" if self.delay else ""
        early = _shown_early(self.early)
        gap = format_duration(self.gap)
        return f"sessions with gaps of up to {gap}{delay}, late: {self.late_data_policy}{early}"

    @property
    def layout(self) -> str:
        """What is stored for a key: its sessions, which the gap tells apart."""
        return f"sessions with gaps of up to {format_duration(self.gap)}"

    @property
    def duration(self) -> int:
        """Nanoseconds from the last message of a session until it is due."""
        return self.gap + self.delay + 1


@dataclass(frozen=True, slots=True)
class CountWindows(Windows[In, Out]):
    """Windows over `count` messages of one key each, made by `count_windows(...).over(...)`.

    Raises WallarooParameterError if the count is not a whole positive number.
    """

    count: int
    aggregation: Any

    def __post_init__(self) -> None:
        check_whole("count_windows: the count", self.count, at_least=1)

    @property
    def kind(self) -> str:
        """What `wallaroo describe` shows of them."""
        return f"windows of {self.count} messages"

    @property
    def layout(self) -> str:
        """What is stored for a key: the messages of the open window, however many make it due."""
        return "windows of a number of messages"


def _check_delay(delay: int) -> None:
    check_whole("with_delay: the delay", delay, 0, DURATION_ADVICE)
    if delay > _LONGEST_DELAY:
        raise WallarooParameterError(
            f"with_delay: a delay of {format_duration(delay)} would hold every result back for more "
            "than a year; durations are nanoseconds, and wallaroo.seconds(...) and its like return them"
        )


def _checked_policy(late_data_policy: object) -> LateDataPolicy:
    try:
        return LateDataPolicy(str(late_data_policy).replace("_", "-"))
    except ValueError:
        known = ", ".join(repr(str(known)) for known in LateDataPolicy)
        raise WallarooParameterError(
            f"Invalid value for late_data_policy: {late_data_policy!r}; use one of {known}"
        ) from None


def _check_early(every: int | None) -> None:
    if every is not None:
        check_whole("the time between early results", every, 0, DURATION_ADVICE)


def _shown_early(every: int | None) -> str:
    match every:
        case None:
            return ""
        case 0:
            return ", early: with every message"
    return f", early: every {format_duration(every)}"
