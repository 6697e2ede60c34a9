"""Windows as a user declares them, the builders that `.over(...)` finishes, and units of time."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from wallaroo.api.aggregation import make_aggregation
from wallaroo.api.checks import check_whole
from wallaroo.errors import WallarooParameterError

_UNITS = "write whole nanoseconds, for example wallaroo.seconds(9) or wallaroo.milliseconds(500)"


class LateDataPolicy(StrEnum):
    """What becomes of a message whose windows are all past due."""

    DROP = "drop"
    FIRE_PER_MESSAGE = "fire-per-message"
    PLACE_IN_OLDEST_WINDOW = "place-in-oldest-window"


@dataclass(frozen=True, slots=True)
class RangeWindows:
    """Windows over a span of event time; window k covers [k * slide, k * slide + range).

    Times are nanoseconds. Raises WallarooParameterError for numbers that make no windows.
    """

    range: int
    slide: int
    delay: int
    aggregation: Any
    late_data_policy: LateDataPolicy = LateDataPolicy.DROP

    def __post_init__(self) -> None:
        check_span("range_windows: the range", self.range)
        check_span("with_slide: the slide", self.slide)
        check_span("with_delay: the delay", self.delay, at_least=0)
        if self.slide > self.range:
            raise WallarooParameterError(
                f"with_slide: the slide {self.slide} is longer than the range {self.range}, so messages "
                "between two windows would be in none; make it at most the range"
            )
        object.__setattr__(self, "late_data_policy", late_data_policy(self.late_data_policy))

    def name(self) -> str:
        """The aggregation's name, which is the stage's."""
        return str(self.aggregation.name())


@dataclass(frozen=True, slots=True)
class CountWindows:
    """Windows over `count` messages of one key each."""

    count: int
    aggregation: Any

    def __post_init__(self) -> None:
        check_whole("count_windows: the count", self.count, at_least=1)

    def name(self) -> str:
        """The aggregation's name, which is the stage's."""
        return str(self.aggregation.name())


def check_span(what: str, span: object, at_least: int = 1) -> int:
    """Whole nanoseconds."""
    return check_whole(what, span, at_least, _UNITS)


def late_data_policy(policy: object) -> LateDataPolicy:
    """The policy of that name, with hyphens or underscores."""
    try:
        return LateDataPolicy(str(policy).replace("_", "-"))
    except ValueError:
        known = ", ".join(repr(str(known)) for known in LateDataPolicy)
        raise WallarooParameterError(
            f"Invalid value for late_data_policy: {policy!r}; use one of {known}"
        ) from None


def range_windows(wrange: int) -> "RangeWindowsBuilder":
    """Windows of `wrange` nanoseconds of event time; tumbling unless given a slide."""
    return RangeWindowsBuilder(wrange)


def count_windows(wcount: int) -> "CountWindowsBuilder":
    """Windows of `wcount` messages of one key each."""
    return CountWindowsBuilder(wcount)


class RangeWindowsBuilder:
    """Range windows without their aggregation; like the original's, it changes in place."""

    def __init__(self, wrange: int) -> None:
        self._range = check_span("range_windows: the range", wrange)
        self._slide: int | None = None
        self._delay: int | None = None
        self._late_data_policy: LateDataPolicy | None = None

    def with_slide(self, slide: int) -> Self:
        """Begin a window every `slide` nanoseconds; at most the range."""
        _only_once("with_slide", self._slide)
        self._slide = check_span("with_slide: the slide", slide)
        self._windows(aggregation=None)
        return self

    def with_delay(self, delay: int) -> Self:
        """Keep a window open for `delay` nanoseconds after its end, for late messages."""
        _only_once("with_delay", self._delay)
        self._delay = check_span("with_delay: the delay", delay, at_least=0)
        return self

    def with_late_data_policy(self, policy: str | LateDataPolicy) -> Self:
        """Say what becomes of a message that comes after its windows have fired."""
        _only_once("with_late_data_policy", self._late_data_policy)
        self._late_data_policy = late_data_policy(policy)
        return self

    def over(self, aggregation: Any) -> RangeWindows:
        """The finished windows, folded by an `Aggregation` class."""
        return self._windows(make_aggregation("range_windows(...)", aggregation))

    def _windows(self, aggregation: Any) -> RangeWindows:
        return RangeWindows(
            self._range,
            self._range if self._slide is None else self._slide,
            self._delay or 0,
            aggregation,
            self._late_data_policy or LateDataPolicy.DROP,
        )


class CountWindowsBuilder:
    """Count windows without their aggregation."""

    def __init__(self, wcount: int) -> None:
        self._count = check_whole("count_windows: the count", wcount, at_least=1)

    def over(self, aggregation: Any) -> CountWindows:
        """The finished windows, folded by an `Aggregation` class."""
        return CountWindows(self._count, make_aggregation("count_windows(...)", aggregation))


def _only_once(method: str, value: object) -> None:
    if value is not None:
        raise WallarooParameterError(f"Only call `{method}()` once per window specification.")


def nanoseconds(x: int) -> int:
    """`x` nanoseconds."""
    return _span("nanoseconds", x, 1)


def microseconds(x: int) -> int:
    """`x` microseconds, in nanoseconds."""
    return _span("microseconds", x, 1_000)


def milliseconds(x: int) -> int:
    """`x` milliseconds, in nanoseconds."""
    return _span("milliseconds", x, 1_000_000)


def seconds(x: int) -> int:
    """`x` seconds, in nanoseconds."""
    return _span("seconds", x, 1_000_000_000)


def minutes(x: int) -> int:
    """`x` minutes, in nanoseconds."""
    return _span("minutes", x, 60_000_000_000)


def hours(x: int) -> int:
    """`x` hours, in nanoseconds."""
    return _span("hours", x, 3_600_000_000_000)


def _span(unit: str, x: int, size_nanoseconds: int) -> int:
    if isinstance(x, bool) or not isinstance(x, int | float):
        raise WallarooParameterError(f"{unit}({x!r}): needs a number")
    return x * size_nanoseconds
