"""Units of time: all durations and times of the API are whole nanoseconds."""

from wallaroo.errors import WallarooParameterError

_SHOWN_UNITS = {
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
}


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


def format_duration(span: int) -> str:
    """Return a duration in nanoseconds as a whole number of the largest unit that divides it."""
    for name, size in _SHOWN_UNITS.items():
        if span and span % size == 0:
            return f"{span // size} {name}"
    return f"{span} ns"
