"""Spans of time as a person reads them."""

_UNITS = {
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
}


def span(nanoseconds: int) -> str:
    """A whole number of the largest unit that there is one of."""
    for name, size in _UNITS.items():
        if nanoseconds and nanoseconds % size == 0:
            return f"{nanoseconds // size} {name}"
    return f"{nanoseconds} ns"
