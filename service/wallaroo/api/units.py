"""Spans of time, in nanoseconds: the unit of every time in this API."""

from wallaroo.errors import WallarooParameterError


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
