"""Windows as a user declares them, the builders that `.over(...)` finishes, and units of time."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import gcd
from typing import Any, Generic, Self, overload

from wallaroo.api.aggregation import make_aggregation
from wallaroo.api.checks import check_whole
from wallaroo.api.stages import In, Out
from wallaroo.api.typed import Accumulator, Folds, FoldsKnowingWindow, Message, Result
from wallaroo.errors import WallarooParameterError

_UNITS = "write whole nanoseconds, for example wallaroo.seconds(9) or wallaroo.milliseconds(500)"
# Windows of a day that begin every second are 86,400; every one of them makes an output.
_MOST_WINDOWS_PER_MESSAGE = 100_000
_LONGEST_DELAY = 366 * 24 * 3_600_000_000_000
_SHOWN_UNITS = {
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
}


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


class WindowsBuilder:
    """Windows of any kind without their aggregation."""


@dataclass(frozen=True, slots=True)
class RangeWindows(Windows[In, Out]):
    """Windows over spans of event time; window k covers [k * slide + offset, k * slide + offset + range).

    Made by `range_windows(...).over(...)`. Times are nanoseconds since the Unix epoch, to which windows are
    aligned but for the offset; Wallaroo's began anywhere.

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

    def __post_init__(self) -> None:
        check_whole("range_windows: the range", self.range, 1, _UNITS)
        check_whole("with_slide: the slide", self.slide, 1, _UNITS)
        check_whole("with_delay: the delay", self.delay, 0, _UNITS)
        if self.slide > self.range:
            raise WallarooParameterError(
                f"with_slide: the slide {self.slide} is longer than the range {self.range}, so messages "
                "between two windows would be in none; make it at most the range"
            )
        self._check_extent()
        try:
            policy = LateDataPolicy(str(self.late_data_policy).replace("_", "-"))
        except ValueError:
            known = ", ".join(repr(str(known)) for known in LateDataPolicy)
            raise WallarooParameterError(
                f"Invalid value for late_data_policy: {self.late_data_policy!r}; use one of {known}"
            ) from None
        object.__setattr__(self, "late_data_policy", policy)

    def _check_extent(self) -> None:
        whole = isinstance(self.offset, int) and not isinstance(self.offset, bool)
        if not whole or abs(self.offset) >= self.slide:
            raise WallarooParameterError(
                f"with_offset: the offset must be an int of less than {self.slide} either way, not "
                f"{self.offset!r}: windows begin every {self.slide} nanoseconds anyway; {_UNITS}"
            )
        windows = -(-self.range // self.slide)
        if windows > _MOST_WINDOWS_PER_MESSAGE:
            raise WallarooParameterError(
                f"with_slide: with a slide of {format_duration(self.slide)} every message would be in "
                f"{windows:,} windows of {format_duration(self.range)}, and {_MOST_WINDOWS_PER_MESSAGE:,} is "
                "the limit; durations are nanoseconds: use wallaroo.milliseconds(...), wallaroo.seconds(...)"
            )
        if self.delay > _LONGEST_DELAY:
            raise WallarooParameterError(
                f"with_delay: a delay of {format_duration(self.delay)} would hold every result back for more "
                "than a year; durations are nanoseconds, and wallaroo.seconds(...) and its like return them"
            )

    @property
    def kind(self) -> str:
        """What `wallaroo describe` shows of them."""
        every = "" if self.slide == self.range else f" every {format_duration(self.slide)}"
        offset = f", offset {format_duration(self.offset)}" if self.offset else ""
        delay = f", delay {format_duration(self.delay)}" if self.delay else ""
        span = format_duration(self.range)
        return f"windows of {span}{every}{offset}{delay}, late: {self.late_data_policy}"

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


def range_windows(wrange: int) -> "RangeWindowsBuilder":
    """Begin windows of `wrange` nanoseconds of event time, which tumble unless they are given a slide.

    Finish them with `.over(...)` and an `Aggregation` class, and pass the result to `Pipeline.to`. A window
    emits its output when the watermark passes its end and its delay.

    Raises WallarooParameterError if the range is not a whole positive number.

    Example:

    >>> windows = wallaroo.range_windows(wallaroo.seconds(9)).with_slide(wallaroo.seconds(3))
    >>> windows = windows.with_delay(wallaroo.milliseconds(500)).with_late_data_policy("fire-per-message")
    """
    return RangeWindowsBuilder(wrange)


def count_windows(wcount: int) -> "CountWindowsBuilder":
    """Begin windows of `wcount` messages of one key each; finish them with `.over(...)`.

    A window emits its output with its last message; Wallaroo's emitted every five seconds, too.

    Raises WallarooParameterError if the count is not a whole positive number.

    Example:

    >>> class Longest(wallaroo.Aggregation):
    ...     def initial_accumulator(self):
    ...         return ""
    ...     def update(self, word, acc):
    ...         return max(acc, word, key=len)
    ...     def combine(self, acc1, acc2):
    ...         return max(acc1, acc2, key=len)
    ...     def output(self, key, acc):
    ...         return acc
    >>> wallaroo.count_windows(3).over(Longest).count
    3
    """
    return CountWindowsBuilder(wcount)


class RangeWindowsBuilder(WindowsBuilder):
    """Range windows without their aggregation; as in Wallaroo, its methods change it and return it.

    Raises WallarooParameterError if the range is not a whole positive number.
    """

    def __init__(self, wrange: int) -> None:
        self._options = _with_option({}, "range", wrange)

    def with_slide(self, slide: int) -> Self:
        """Begin a window every `slide` nanoseconds, which is at most the range.

        Raises WallarooParameterError if the slide is longer or malformed, or so short that a message would be
        in more than 100,000 windows, or was given before.
        """
        self._options = _with_option(self._options, "slide", slide)
        return self

    def with_offset(self, offset: int) -> Self:
        """Shift the begin of every window by `offset` nanoseconds, which may be negative.

        Without it windows are aligned to the Unix epoch, so that days begin at midnight UTC. The offset is
        fixed: it knows no summer time. An offset that is changed gives other windows: the stage then needs a
        new name, as for another range or slide.

        Raises WallarooParameterError if the offset is not shorter than the slide or malformed, or was given
        before.

        Example:

        >>> in_utc_plus_9 = wallaroo.range_windows(wallaroo.days(1)).with_offset(wallaroo.hours(-9))
        """
        self._options = _with_option(self._options, "offset", offset)
        return self

    def with_delay(self, delay: int) -> Self:
        """Keep a window open for exactly `delay` nanoseconds after its end; Wallaroo rounded it up.

        Raises WallarooParameterError if the delay is malformed, longer than a year, or was given before.
        """
        self._options = _with_option(self._options, "delay", delay)
        return self

    def with_late_data_policy(self, policy: str | LateDataPolicy) -> Self:
        """Say what happens to a message whose windows have all closed; the default is to drop it.

        Raises WallarooParameterError if there is no such policy, or one was given before.
        """
        self._options = _with_option(self._options, "late_data_policy", policy)
        return self

    @overload
    def over(
        self, aggregation: Callable[[], Folds[Message, Accumulator, Result]]
    ) -> RangeWindows[Message, Result]: ...
    @overload
    def over(
        self, aggregation: Callable[[], FoldsKnowingWindow[Message, Accumulator, Result]]
    ) -> RangeWindows[Message, Result]: ...
    def over(self, aggregation: Any) -> RangeWindows[Any, Any]:
        """Return the finished windows, which an `Aggregation` class folds.

        Raises WallarooParameterError if the class lacks a method, or one has the wrong parameters.
        """
        return _range_windows(self._options, make_aggregation("range_windows(...)", aggregation))


class CountWindowsBuilder(WindowsBuilder):
    """Count windows without their aggregation.

    Raises WallarooParameterError if the count is not a whole positive number.
    """

    def __init__(self, wcount: int) -> None:
        self._count = check_whole("count_windows: the count", wcount, at_least=1)

    @overload
    def over(
        self, aggregation: Callable[[], Folds[Message, Accumulator, Result]]
    ) -> CountWindows[Message, Result]: ...
    @overload
    def over(
        self, aggregation: Callable[[], FoldsKnowingWindow[Message, Accumulator, Result]]
    ) -> CountWindows[Message, Result]: ...
    def over(self, aggregation: Any) -> CountWindows[Any, Any]:
        """Return the finished windows, which an `Aggregation` class folds.

        Raises WallarooParameterError if the class lacks a method, or one has the wrong parameters.
        """
        return CountWindows(self._count, make_aggregation("count_windows(...)", aggregation))


def _with_option(options: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    """Add an option of range windows, which check it."""
    if name in options:
        raise WallarooParameterError(f"Only call `with_{name}()` once per window specification.")
    extended = {**options, name: value}
    _range_windows(extended, aggregation=None)
    return extended


def _range_windows(options: dict[str, Any], aggregation: Any) -> RangeWindows:
    defaults = {"slide": options["range"], "delay": 0}
    return RangeWindows(aggregation=aggregation, **(defaults | options))


def nanoseconds(x: int) -> int:
    """Return `x` nanoseconds. Raises WallarooParameterError if `x` is not a number."""
    return _span("nanoseconds", x, 1)


def microseconds(x: int) -> int:
    """Return `x` microseconds in nanoseconds. Raises WallarooParameterError if `x` is not a number."""
    return _span("microseconds", x, 1_000)


def milliseconds(x: int) -> int:
    """Return `x` milliseconds in nanoseconds. Raises WallarooParameterError if `x` is not a number."""
    return _span("milliseconds", x, 1_000_000)


def seconds(x: int) -> int:
    """Return `x` seconds in nanoseconds. Raises WallarooParameterError if `x` is not a number."""
    return _span("seconds", x, 1_000_000_000)


def minutes(x: int) -> int:
    """Return `x` minutes in nanoseconds. Raises WallarooParameterError if `x` is not a number."""
    return _span("minutes", x, 60_000_000_000)


def hours(x: int) -> int:
    """Return `x` hours in nanoseconds. Raises WallarooParameterError if `x` is not a number."""
    return _span("hours", x, 3_600_000_000_000)


def days(x: int) -> int:
    """Return `x` days of 24 hours in nanoseconds.

    Windows of days begin at midnight UTC; `with_offset` gives those of another zone.

    Raises WallarooParameterError if `x` is not a number.
    """
    return _span("days", x, 24 * 3_600_000_000_000)


def _span(unit: str, x: int, size_nanoseconds: int) -> int:
    if isinstance(x, bool) or not isinstance(x, int | float):
        raise WallarooParameterError(f"{unit}({x!r}): needs a number")
    return x * size_nanoseconds


def format_duration(nanoseconds: int) -> str:
    """Return a duration as a whole number of the largest unit that divides it."""
    for name, size in _SHOWN_UNITS.items():
        if nanoseconds and nanoseconds % size == 0:
            return f"{nanoseconds // size} {name}"
    return f"{nanoseconds} ns"
