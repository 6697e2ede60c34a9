"""Run a plan, say what was wrong, and look for a shorter schedule that is wrong as well."""

import traceback
from dataclasses import dataclass

from tests.simulation.checker import check
from tests.simulation.schedule import plan_of
from tests.simulation.world import NotSettledError, World, quiet

_MOST_SHRINKING_RUNS = 600


@dataclass(frozen=True, slots=True)
class Failure:
    """What was wrong with a plan, and what had happened, line by line."""

    plan: object
    wrong: tuple[str, ...]
    happened: tuple[str, ...] = ()


def run(plan, say=None):
    """Run a plan; None if all was right."""
    world = World(plan, say)
    try:
        world.run()
        wrong = check(world)
    except NotSettledError as error:
        wrong = [str(error)]
    except Exception as error:  # whatever the code under test raises
        last = traceback.extract_tb(error.__traceback__)[-1]
        wrong = [f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"]
    return Failure(plan, tuple(wrong)) if wrong else None


def simulate(first, count, plans=None):
    """Run so many seeds, each in turn; yields None or a Failure for each. `plans` counts the applications."""
    with quiet():
        for seed in range(first, first + count):
            plan = plan_of(seed)
            if plans is not None:
                plans[plan.app.name] += 1
            yield run(plan)


def shrunk(failure):
    """A failure with as few steps and records as are found by leaving some out."""
    plan, runs = failure.plan, 0
    for part in ("steps", "sent"):
        size = max(1, len(getattr(plan, part)) // 2)
        while size and runs < _MOST_SHRINKING_RUNS:
            at = 0
            while at < len(getattr(plan, part)) and runs < _MOST_SHRINKING_RUNS:
                shorter = _without(plan, part, at, size)
                runs += 1
                found = run(shorter)
                if found is None:
                    at += size
                else:
                    plan, failure = shorter, found
            size //= 2
    return failure


def _without(plan, part, at, size):
    left = getattr(plan, part)
    before = plan.before
    if part == "sent":
        before -= max(0, min(at + size, before) - at)
    return plan._replace(**{part: left[:at] + left[at + size :]}, before=before)


def told(failure):
    """The same failure, with all that has happened."""
    happened = []
    again = run(failure.plan, happened.append)
    return Failure(failure.plan, (again or failure).wrong, tuple(happened))
