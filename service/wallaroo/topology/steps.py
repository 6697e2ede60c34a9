"""The compiled steps of a sub-topology: what happens to a record between its input and its targets.

`kind` is what `wallaroo describe` shows of a step. Where a function `takes_context`, it gets one behind its
other arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from wallaroo.record import NANOSECONDS_PER_SECOND

# How much longer than its ttl a state is kept, for records that come late: a tenth of it, a minute at most.
_ALLOWANCE_SHARE = 10
_LONGEST_ALLOWANCE = 60 * NANOSECONDS_PER_SECOND


def late_allowance(ttl: int) -> int:
    """How far behind the watermark a record still finds what it would have found in time; nanoseconds."""
    return min(ttl // _ALLOWANCE_SHARE, _LONGEST_ALLOWANCE)


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
    function: Callable[..., Any]
    takes_context: bool = False


@dataclass(frozen=True, slots=True)
class ApplyMulti:
    """A stateless computation: one value in, a list or None out."""

    kind: ClassVar[str] = "computation, multi"
    name: str
    function: Callable[..., Any]
    takes_context: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """A state computation: one value and the key's state in, one or none out.

    `ttl` is how many nanoseconds of event time a state lives after the latest record of its key.
    """

    kind: ClassVar[str] = "state computation"
    name: str
    function: Callable[..., Any]
    store: Store
    takes_context: bool = False
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateMulti:
    """A state computation: one value and the key's state in, a list or None out."""

    kind: ClassVar[str] = "state computation, multi"
    name: str
    function: Callable[..., Any]
    store: Store
    takes_context: bool = False
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Windows, `declared` as any class of `Windows`; `store` holds the open ones of each key."""

    name: str
    declared: Any
    store: Store

    @property
    def kind(self) -> str:
        kind: str = self.declared.kind
        return kind


@dataclass(frozen=True, slots=True)
class CheckKey:
    """Checks that each record has this key, by which its producers promised to partition."""

    kind: ClassVar[str] = "key check"
    name: str
    extract: Callable[..., Any]
    takes_context: bool = False


Stateful = Update | UpdateMulti | Window


def duration_of(step: "Step") -> int | None:
    """How many nanoseconds of event time a step keeps something; None if event time ends nothing in it."""
    match step:
        case Window():
            duration: int | None = step.declared.duration
            return duration
        case Update(ttl=int(ttl)) | UpdateMulti(ttl=int(ttl)):
            # A state is removed as soon as the watermark is beyond.
            return ttl + late_allowance(ttl) + 1
        case _:
            return None


Step = Apply | ApplyMulti | CheckKey | Stateful
