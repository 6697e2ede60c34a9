"""What the supervisor can answer to a question about the state of one key."""

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class StateFound:
    """The committed value of the key, as `to_jsonable` made it."""

    partition: int
    worker: int
    value: Any
    instance: str = ""


@dataclass(frozen=True, slots=True)
class NoSuchStage:
    """No stage of that name keeps state; these do."""

    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoSuchKey:
    """The stage has no state for this key, said by whoever owns its partition."""


@dataclass(frozen=True, slots=True)
class StateHidden:
    """Showing state is switched off."""


@dataclass(frozen=True, slots=True)
class StateUnavailable:
    """Not now: restoring, a worker that does not answer, a partition of another instance."""

    reason: str
    """A sentence that says which, and what to do."""


StateAnswer: TypeAlias = StateFound | NoSuchStage | NoSuchKey | StateHidden | StateUnavailable
