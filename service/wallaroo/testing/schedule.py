"""How a driver goes along: in which order, how many records at a time, how often it commits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple


class Turn(NamedTuple):
    """A task that has something to read."""

    sub_topology: str
    topic: str
    partition: int


Order = Callable[[Sequence[Turn]], Turn]


def in_turn() -> Order:
    """Each task in turn."""
    served = count()
    return lambda turns: turns[next(served) % len(turns)]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a driver goes along.

    `slice_size` is the most records that a task is given at once, as from one poll. A sub-topology
    commits as soon as it has processed `commit_every` records; with None, only when `run` finds
    nothing more to read, or when told to. `order` picks the next of the tasks that have something to
    read: `random.Random(7).choice` is one, and the same on every run.
    """

    slice_size: int = 100
    commit_every: int | None = None
    order: Order = field(default_factory=in_turn)
