"""Plan: what goes wrong in a run, and when. The same seed and kind give the same plan."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"
SHORT_SECONDS, SECONDS, LONG_SECONDS = 4.0, 20.0, 60.0


class PlanError(Exception):
    """What was asked for cannot be planned."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is done to a run; `number` says to whom, or how."""

    at_seconds: float
    action: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """What is tormented: the shape of the application, and how it is run."""

    shape: str
    protocol: str
    guarantee: str

    def __str__(self) -> str:
        return f"{self.shape}/{self.protocol}/{self.guarantee}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how it is planned, and how it is done.

    `start` starts the service, `inject` does one fault; both are given the run.
    With `placed`, the harness chooses the partition of each record, and not the client's partitioner.
    `load` makes the records where the shape's own will not do. `disk_mib` is the size of the broker's disk.
    """

    name: str
    shapes: Sequence[str]
    faults: Callable[[random.Random, float], Sequence[Fault]]
    inject: Callable[[Any, Fault], None]
    start: Callable[[Any], None] | None = None
    load: Callable[[Any, int], Sequence[Any]] | None = None
    guarantees: Sequence[str] = (EXACTLY_ONCE, EXACTLY_ONCE, AT_LEAST_ONCE)
    protocols: Sequence[str] = ("classic", "consumer")
    settings: Mapping[str, Any] = field(default_factory=dict)
    placed: bool = False
    nodes: int = 1
    disk_mib: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    kind: str
    variant: Variant
    seconds: float
    faults: Sequence[Fault]

    @property
    def limit_seconds(self) -> float:
        """What has not ended by then hangs; a busy machine needs several times the usual."""
        return 150 + 12 * self.seconds + 10 * len(self.faults)

    @property
    def settle_seconds(self) -> float:
        return 0.6 * self.limit_seconds


# What is written to TCP may be repeated in any case, and windows are compared as a whole.
ALWAYS_EXACT = ("windows", "count", "generator")


def plan_of(seed: int, kind: Kind, seconds: float = SECONDS) -> Plan:
    """The plan of a kind that belongs to a seed."""
    rng = random.Random(f"{seed} {kind.name}")  # noqa: S311 - chance, not secrets
    shape = rng.choice(kind.shapes)
    protocol, guarantee = rng.choice(kind.protocols), rng.choice(kind.guarantees)
    variant = Variant(shape, protocol, EXACTLY_ONCE if shape in ALWAYS_EXACT else guarantee)
    return Plan(seed, kind.name, variant, seconds, tuple(kind.faults(rng, seconds)))


def plans(seed: int, runs: int, kinds: Sequence[Kind], seconds: float = SECONDS) -> Iterator[Plan]:
    """The kinds in turn; SEED=n RUNS=1 KINDS=k with the seed and kind of one of them gives it again."""
    for number in range(runs):
        yield plan_of(seed + number, kinds[number % len(kinds)], seconds)


def chosen(names: str, kinds: Mapping[str, Kind]) -> list[Kind]:
    """The kinds of these names, all of them if there is none; PlanError for an unknown one."""
    wanted = [name for name in names.split(",") if name]
    unknown = [name for name in wanted if name not in kinds]
    if unknown:
        raise PlanError(f"no kind of fault is called {unknown[0]!r}; there are {', '.join(kinds)}")
    return [kinds[name] for name in wanted or kinds]


def whole(name: str, given: str, least: int) -> int:
    """A whole number; PlanError if it is none or too small."""
    try:
        number = int(given)
    except ValueError:
        raise PlanError(f"{name}={given!r} is no whole number") from None
    if number < least:
        raise PlanError(f"{name}={number} is less than {least}")
    return number


def now_and_then(
    rng: random.Random, seconds: float, actions: Sequence[str], pause: tuple[float, float]
) -> list[Fault]:
    """One of the actions after each pause, from the first second to the last."""
    faults, at = [], 1.0
    while at < seconds:
        faults.append(Fault(round(at, 2), rng.choice(actions), rng.randrange(1_000_000)))
        at += rng.uniform(*pause)
    return faults
