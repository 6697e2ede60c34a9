"""Windows as a user begins them, and the builders that `.over(...)` finishes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self, overload

from wallaroo.api.aggregation import make_aggregation
from wallaroo.api.checks import check_whole
from wallaroo.api.typed import Accumulator, Folds, FoldsKnowingWindow, Message, Result
from wallaroo.api.windows import (
    DURATION_ADVICE,
    CountWindows,
    LateDataPolicy,
    RangeWindows,
    SessionWindows,
    Windows,
)
from wallaroo.errors import WallarooParameterError


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


def session_windows(gap: int) -> "SessionWindowsBuilder":
    """Begin windows over sessions: messages of one key that are at most `gap` nanoseconds apart.

    Finish them with `.over(...)` and an `Aggregation` class. A message that joins two sessions makes one of
    them, with `combine`. A session emits its output when the watermark has passed its last message, the gap
    and its delay: then no message in order can belong to it.

    Raises WallarooParameterError if the gap is not a whole positive number.

    Example:

    >>> windows = wallaroo.session_windows(wallaroo.minutes(30)).with_delay(wallaroo.seconds(5))
    """
    return SessionWindowsBuilder(gap)


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


class WindowsBuilder:
    """Windows of any kind without their aggregation."""


class _TimedWindowsBuilder(WindowsBuilder, ABC):
    """Windows over event time; as in Wallaroo, the methods of a builder change it and return it."""

    def __init__(self, **options: Any) -> None:
        self._windows(options, None)
        self._options = options

    def with_delay(self, delay: int) -> Self:
        """Keep a window open for exactly `delay` nanoseconds after its end; Wallaroo rounded it up.

        Raises WallarooParameterError if the delay is malformed, longer than a year, or was given before.
        """
        return self._with("delay", delay)

    def with_late_data_policy(self, policy: str | LateDataPolicy) -> Self:
        """Say what happens to a message whose windows have all closed; the default is to drop it.

        Raises WallarooParameterError if there is no such policy, or one was given before.
        """
        return self._with("late_data_policy", policy)

    def with_early_results(self, every: int | None = None) -> Self:
        """Emit what a window holds before it is due, too: with every message, or `every` nanoseconds.

        That is event time: a message gives an early result if it is the first of its window, or at least
        `every` later than the message that gave the last one. The result has the message's event time, and
        `final` of the `Window` that `output` gets is False. None comes after the final one.

        Raises WallarooParameterError if the time is not a whole positive number, or was given before.

        Example:

        >>> windows = wallaroo.range_windows(wallaroo.hours(1)).with_early_results(wallaroo.seconds(10))
        """
        if every is not None:
            check_whole("with_early_results: every", every, 1, DURATION_ADVICE)
        return self._with("early", every or 0, "with_early_results")

    def _with(self, name: str, value: object, method: str | None = None) -> Self:
        """Add an option, which the windows check."""
        if name in self._options:
            raise WallarooParameterError(
                f"Only call `{method or f'with_{name}'}()` once per window specification."
            )
        extended = {**self._options, name: value}
        self._windows(extended, None)
        self._options = extended
        return self

    @staticmethod
    @abstractmethod
    def _windows(options: Mapping[str, Any], aggregation: Any) -> Windows[Any, Any]:
        """The windows with these options, which they check; as yet without an aggregation if it is None."""


class RangeWindowsBuilder(_TimedWindowsBuilder):
    """Range windows without their aggregation.

    Raises WallarooParameterError if the range is not a whole positive number.
    """

    def __init__(self, wrange: int) -> None:
        super().__init__(range=wrange)

    def with_slide(self, slide: int) -> Self:
        """Begin a window every `slide` nanoseconds, which is at most the range.

        Raises WallarooParameterError if the slide is longer or malformed, or so short that a message would be
        in more than 100,000 windows, or was given before.
        """
        return self._with("slide", slide)

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
        return self._with("offset", offset)

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
        return self._windows(self._options, make_aggregation("range_windows(...)", aggregation))

    @staticmethod
    def _windows(options: Mapping[str, Any], aggregation: Any) -> RangeWindows[Any, Any]:
        defaults = {"slide": options["range"], "delay": 0}
        return RangeWindows(aggregation=aggregation, **{**defaults, **options})


class SessionWindowsBuilder(_TimedWindowsBuilder):
    """Session windows without their aggregation.

    Raises WallarooParameterError if the gap is not a whole positive number.
    """

    def __init__(self, gap: int) -> None:
        super().__init__(gap=gap)

    @overload
    def over(
        self, aggregation: Callable[[], Folds[Message, Accumulator, Result]]
    ) -> SessionWindows[Message, Result]: ...
    @overload
    def over(
        self, aggregation: Callable[[], FoldsKnowingWindow[Message, Accumulator, Result]]
    ) -> SessionWindows[Message, Result]: ...
    def over(self, aggregation: Any) -> SessionWindows[Any, Any]:
        """Return the finished windows, which an `Aggregation` class folds.

        Raises WallarooParameterError if the class lacks a method, or one has the wrong parameters.
        """
        return self._windows(self._options, make_aggregation("session_windows(...)", aggregation))

    @staticmethod
    def _windows(options: Mapping[str, Any], aggregation: Any) -> SessionWindows[Any, Any]:
        return SessionWindows(aggregation=aggregation, **{"delay": 0, **options})


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
