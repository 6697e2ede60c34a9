"""A schedule: what a seed chooses. Steps name their objects by number, so that each can be left out."""

from random import Random
from typing import NamedTuple
from zlib import crc32

from tests.simulation.applications import (
    APPLICATIONS,
    BEGIN_MS,
    KEYS,
    App,
    Sent,
)

WORKERS = 2
# How long a step takes, in milliseconds, unless the clock is moved.
STEP_MS = 20
_PAUSES = (60, 500, 1_100, 3_000, 20_000, 100_000)
_MOST_RECORDS = 30

# How often each kind of step comes.
WEIGHTS = {
    "turn": 40,
    "commit": 30,
    "marker": 10,
    "restore": 12,
    "feed": 6,
    "clock": 4,
    "rebalance": 4,
    "expire": 2,
    "crash": 3,
    "stop": 1,
    "start": 8,
    "compact": 3,
    "timeout": 2,
    "round": 4,
}
_TIMED = WEIGHTS | {"clock": 14}


class Step(NamedTuple):
    """One step; `which` is what it is done to, `how` and `chance` say how."""

    kind: str
    which: int
    how: int
    chance: int


class Plan(NamedTuple):
    """Everything that a seed chooses. Of `sent`, so many records are there `before` anything begins."""

    seed: int
    app: App
    partitions: dict[str, int]
    sent: tuple[Sent, ...]
    before: int
    warm_up: int
    commit_every: int
    steps: tuple[Step, ...]


def plan_of(seed):
    """The plan of a seed."""
    rng = Random(seed)  # noqa: S311 - not for secrets
    app = rng.choice(APPLICATIONS)
    sources = rng.choice((1, 2, 2, 3))
    topics = dict.fromkeys([*app.topology.repartitions, *app.topology.sinks, app.topology.dead_letters], 2)
    partitions = {topic: rng.choice((1, 2, 2, 3)) for topic in topics} | {"in": sources}
    keys = KEYS[: rng.choice((1, 2, 4))]
    sent = tuple(_sent(rng, app, keys, sources, n) for n in range(rng.randint(1, _MOST_RECORDS)))
    before = rng.randint(0, len(sent)) if app.is_live or not app.is_timed else len(sent)
    weights = _TIMED if app.is_timed else WEIGHTS
    kinds = rng.choices(tuple(weights), tuple(weights.values()), k=rng.randint(20, 60))
    steps = tuple(Step(kind, rng.randrange(64), rng.randrange(64), rng.randrange(64)) for kind in kinds)
    commit_every = rng.choice((2, 5, 1_000, 1_000))
    return Plan(seed, app, partitions, sent, before, rng.randint(0, 3), commit_every, steps)


def _sent(rng, app, keys, sources, number):
    key = rng.choice(keys)
    time = BEGIN_MS - rng.randint(0, app.spread) if app.spread else -rng.randint(0, app.jitter)
    return Sent(key, number + 1, rng.choice(app.deeds), time, crc32(key.encode()) % sources)


def pause_of(step):
    return _PAUSES[step.how % len(_PAUSES)]
