"""The steps of a sub-topology, compiled: what happens to a record between its input and its targets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wallaroo.api.windows import LateDataPolicy


@dataclass(frozen=True, slots=True)
class Store:
    """Keyed state of one stage, mirrored in a compacted changelog topic."""

    name: str
    changelog: str
    initial: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Apply:
    """A stateless computation: one value in, one or none out."""

    name: str
    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ApplyMulti:
    """A stateless computation: one value in, a list or None out."""

    name: str
    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Update:
    """A state computation: one value and the key's state in, one or none out."""

    name: str
    function: Callable[[Any, Any], Any]
    store: Store


@dataclass(frozen=True, slots=True)
class UpdateMulti:
    """A state computation: one value and the key's state in, a list or None out."""

    name: str
    function: Callable[[Any, Any], Any]
    store: Store


@dataclass(frozen=True, slots=True)
class RangeWindow:
    """Windows over spans of event time, in nanoseconds; `store` holds what is open, by key."""

    name: str
    aggregation: Any
    range: int
    slide: int
    delay: int
    late_data_policy: LateDataPolicy
    store: Store


@dataclass(frozen=True, slots=True)
class CountWindow:
    """Windows over so many messages of one key each; `store` holds what is open, by key."""

    name: str
    aggregation: Any
    count: int
    store: Store


@dataclass(frozen=True, slots=True)
class CheckKey:
    """The producers promised to partition by this key: every record must keep the promise."""

    name: str
    extract: Callable[[Any], Any]


Stateful = Update | UpdateMulti | RangeWindow | CountWindow
Step = Apply | ApplyMulti | CheckKey | Stateful
