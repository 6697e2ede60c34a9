"""The compiled steps of a sub-topology: what happens to a record between its input and its targets.

`kind` is what `wallaroo describe` shows of a step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from wallaroo.api.windows import CountWindows, LateDataPolicy, RangeWindows
from wallaroo.errors import TopologyError

DeclaredWindows = RangeWindows | CountWindows

# Nanoseconds, so that a sum with a timestamp fits into a signed 64-bit integer.
_LONGEST = 2**62

_UNITS = {
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
}


@dataclass(frozen=True, slots=True)
class Store:
    """The keyed state of one stage, mirrored in a compacted changelog topic."""

    name: str
    changelog: str
    initial: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Apply:
    """A stateless computation: one value in, one or none out."""

    kind: ClassVar[str] = "computation"
    name: str
    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ApplyMulti:
    """A stateless computation: one value in, a list or None out."""

    kind: ClassVar[str] = "computation, multi"
    name: str
    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Update:
    """A state computation: one value and the key's state in, one or none out."""

    kind: ClassVar[str] = "state computation"
    name: str
    function: Callable[[Any, Any], Any]
    store: Store


@dataclass(frozen=True, slots=True)
class UpdateMulti:
    """A state computation: one value and the key's state in, a list or None out."""

    kind: ClassVar[str] = "state computation, multi"
    name: str
    function: Callable[[Any, Any], Any]
    store: Store


@dataclass(frozen=True, slots=True)
class RangeWindow:
    """Windows over spans of event time, in nanoseconds; `store` holds the open windows of each key."""

    name: str
    aggregation: Any
    range: int
    slide: int
    delay: int
    late_data_policy: LateDataPolicy
    store: Store

    @property
    def kind(self) -> str:
        every = "" if self.slide == self.range else f" every {format_duration(self.slide)}"
        delay = f", delay {format_duration(self.delay)}" if self.delay else ""
        return f"windows of {format_duration(self.range)}{every}{delay}, late: {self.late_data_policy}"

    @property
    def duration(self) -> int:
        """Nanoseconds from the begin of a window until it is due."""
        return self.range + self.delay


@dataclass(frozen=True, slots=True)
class CountWindow:
    """Windows over `count` messages of one key each; `store` holds the open window of each key."""

    name: str
    aggregation: Any
    count: int
    store: Store

    @property
    def kind(self) -> str:
        return f"windows of {self.count} messages"


@dataclass(frozen=True, slots=True)
class CheckKey:
    """Checks that each record has this key, by which its producers promised to partition."""

    kind: ClassVar[str] = "key check"
    name: str
    extract: Callable[[Any], Any]


# Windows over event time: their results are held back for `delay`, and they stay open for `duration`.
TimedWindow = RangeWindow
Window = TimedWindow | CountWindow
Stateful = Update | UpdateMulti | Window
Step = Apply | ApplyMulti | CheckKey | Stateful


def compile_windows(stage: DeclaredWindows, store: Store) -> Window:
    """Compile declared windows; raises TopologyError if they are longer than 64-bit nanoseconds allow."""
    name = stage.name()
    if isinstance(stage, CountWindows):
        return CountWindow(name, stage.aggregation, stage.count, store)
    if stage.range + stage.delay >= _LONGEST:
        raise TopologyError(
            f"{name!r}: range and delay add up to {stage.range + stage.delay} nanoseconds, more than 146 "
            "years; nanoseconds are the unit: see wallaroo.seconds(...) and its like"
        )
    return RangeWindow(
        name, stage.aggregation, stage.range, stage.slide, stage.delay, stage.late_data_policy, store
    )


def format_duration(nanoseconds: int) -> str:
    """Return a duration as a whole number of the largest unit that divides it."""
    for name, size in _UNITS.items():
        if nanoseconds and nanoseconds % size == 0:
            return f"{nanoseconds // size} {name}"
    return f"{nanoseconds} ns"
