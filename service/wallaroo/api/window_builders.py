"""Windows that are still being declared, until `.over(...)` finishes them."""

from typing import Any, Self

from wallaroo.api.aggregation import make_aggregation
from wallaroo.api.checks import check_whole
from wallaroo.api.windows import CountWindows, LateDataPolicy, RangeWindows, check_span, late_data_policy
from wallaroo.errors import WallarooParameterError


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
