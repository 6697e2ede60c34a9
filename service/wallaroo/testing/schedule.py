"""The schedule of a driver: which task is next, how many records it gets, how often it commits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple


class Turn(NamedTuple):
    """A task that has something to read: its sub-topology, and the topic and partition that it reads."""

    sub_topology: str
    topic: str
    partition: int


Order = Callable[[Sequence[Turn]], Turn]


def in_turn() -> Order:
    """Return an order that takes each task in turn."""
    served = count()
    return lambda turns: turns[next(served) % len(turns)]


@dataclass(frozen=True, slots=True)
class Pace:
    """The schedule of a driver: how it interleaves tasks and commits.

    `slice_size` is the maximum number of records that a task gets at once, as from one poll. A sub-topology
    commits when it has processed `commit_every` records; with None, when `run` finds nothing more to read.
    `order` chooses the next `Turn` from those that have something to read; the default takes them in turn.

    Example:

    >>> import random
    >>> from wallaroo.testing import Pace
    >>> shuffled = Pace(slice_size=1, commit_every=3, order=random.Random(7).choice)
    """

    slice_size: int = 100
    commit_every: int | None = None
    order: Order = field(default_factory=in_turn)
