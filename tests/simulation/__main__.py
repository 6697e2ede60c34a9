"""`make simulate`: schedules from seeds, in memory; exit code 1 where one was wrong, 2 for a wrong option.

Usage: python -m tests.simulation [--seed FIRST] [--seeds N] [--mutations all]
"""

import argparse
import gc
import sys
import time
from collections import Counter
from pathlib import Path

from tests.faults.plan import PlanError, whole
from tests.simulation.found import as_json
from tests.simulation.mutations import MUTATIONS, found_after
from tests.simulation.run import shrunk, simulate, told
from tests.simulation.world import quiet

FOLDER = Path("build/simulation")
SEEDS = 10_000
# How many schedules lie between two signs of life.
_EVERY = 2_000
# Worlds are rings of objects; looking for them less often saves a fifth of the time.
_GARBAGE = 50_000


def main(argv):
    """Returns 0, 1 where a schedule was wrong or a mutation was not found, 2 for a wrong option."""
    given = _options(argv)
    try:
        first = whole("SEED", given.seed, 0) if given.seed else 0
        count = whole("SEEDS", given.seeds, 1) if given.seeds else SEEDS
        names = _mutations(given.mutations)
        return _try_mutations(names, first, count) if names else _simulate(first, count)
    except PlanError as error:
        print(f"make simulate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make simulate: ended", file=sys.stderr)
        return 130


def _simulate(first, count):
    began, plans = time.process_time(), Counter()
    for number, failure in enumerate(simulate(first, count, plans)):
        if number and number % _EVERY == 0:
            print(f"{number} schedules, all right", file=sys.stderr, flush=True)
        if failure is not None:
            print(f"seed {first + number} is wrong; its schedule is made shorter ...", flush=True)
            with quiet():
                _report(told(shrunk(failure)))
            return 1
    seconds = time.process_time() - began
    print(f"{count} schedules, all right: {round(60 * count / seconds)} a minute of one core")
    print("; ".join(f"{name}: {schedules}" for name, schedules in sorted(plans.items())))
    return 0


def _report(failure):
    """What has happened, what was wrong, and what repeats it."""
    plan = failure.plan
    print(f"seed {plan.seed}, application {plan.app.name!r}, partitions {plan.partitions}")
    for line in failure.happened:
        print(f"  {line}")
    for line in failure.wrong:
        print(f"WRONG: {line}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{plan.seed}.json"
    file.write_text(as_json(plan), encoding="utf-8")
    print(f"the whole schedule again: make simulate SEED={plan.seed} SEEDS=1")
    print(f"the short one: {file}; in tests/simulation/found it is tried with every `make test`")


def _try_mutations(names, first, count):
    missed = 0
    print("| mutation | found after | application |\n| --- | --- | --- |")
    for name in names:
        found = found_after(name, first, count)
        missed += found is None
        seeds, app = (f"not in {count} seeds", "") if found is None else (found[0], found[1].plan.app.name)
        print(f"| {name} | {seeds} | {app} |", flush=True)
    return int(missed > 0)


def _mutations(given):
    if given in ("", "all"):
        return list(MUTATIONS) if given else []
    unknown = [name for name in given.split(",") if name not in MUTATIONS]
    if unknown:
        raise PlanError(f"there is no mutation {unknown[0]!r}; say all, or some of {', '.join(MUTATIONS)}")
    return given.split(",")


def _options(argv):
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seed", default="", help="the first one, a whole number; 0 by default")
    parser.add_argument("--seeds", default="", help=f"how many; by default {SEEDS}")
    parser.add_argument("--mutations", default="", help="break the code: all, or names with commas")
    return parser.parse_args(argv)


if __name__ == "__main__":
    gc.set_threshold(_GARBAGE)
    sys.exit(main(sys.argv[1:]))
