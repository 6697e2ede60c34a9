"""`make faults`: plans from a seed, each on its own Kafka, a table, and exit code 1 where one was wrong.

Usage: python -m tests.faults [--seed N] [--runs N] [--kinds A,B] [--minutes N] [--add]
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from scripts.kafka.errors import KafkaUnavailableError
from scripts.kafka.jars import find_jars, find_java
from tests.faults import results
from tests.faults.kinds import all_kinds
from tests.faults.one import end
from tests.faults.outcome import Outcome
from tests.faults.plan import LONG_SECONDS, SECONDS, SHORT_SECONDS, Plan, PlanError, chosen, plans, whole
from tests.faults.runner import Runner, folder_of

MOST_RUNS = 10_000


def main(argv: list[str]) -> int:
    """Returns 0, 1 where a run was wrong, 2 where nothing could be run, and 130 where it was ended."""
    signal.signal(signal.SIGTERM, end)
    given = _options(argv)
    try:
        planned = _planned(given)
        find_java()
        find_jars()
        outcomes = _kept(planned, given)
    except (PlanError, KafkaUnavailableError) as error:
        print(f"make faults: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make faults: ended; what it had started has been stopped", file=sys.stderr)
        return 130
    print(results.table(map(asdict, outcomes)))
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    for outcome in wrong:
        print(
            f"WRONG: make faults SEED={outcome.seed} RUNS=1 KINDS={outcome.kind} runs this plan again; "
            f"logs in {folder_of(outcome.kind, outcome.seed)}: {outcome.ended}"
        )
    return int(bool(wrong))


def _kept(planned: Iterator[Plan], given: argparse.Namespace) -> list[Outcome]:
    """All of them, each written down as soon as it is there."""
    before, made = results.read(given.results) if given.add else [], []
    runner = Runner(whole("JOBS", given.jobs, 1), whole("TRIES", given.tries, 1))
    for outcome in runner.outcomes(planned):
        print(outcome, flush=True)
        made.append(outcome)
        results.write([*before, *map(asdict, made)], given.results)
    return made


def _planned(given: argparse.Namespace) -> Iterator[Plan]:
    kinds = chosen(given.kinds, all_kinds())
    seed = whole("SEED", given.seed, 0) if given.seed else random.SystemRandom().randrange(10**6)
    runs = whole("RUNS", given.runs, 1) if given.runs else len(kinds)
    minutes, within = whole("MINUTES", given.minutes, 0), whole("WITHIN", given.within, 0)
    if minutes:
        runs = MOST_RUNS
    seconds = {"short": SHORT_SECONDS, "usual": SECONDS, "long": LONG_SECONDS}[given.length]
    print(f"SEED={seed} RUNS={runs} KINDS={','.join(kind.name for kind in kinds)}", flush=True)
    return _until(plans(seed, runs, kinds, seconds), minutes or within, tell=bool(within))


def _until(planned: Iterator[Plan], minutes: int, *, tell: bool) -> Iterator[Plan]:
    """As many as can be begun in that time; all of them if it is 0."""
    until = time.monotonic() + 60 * minutes
    for plan in planned:
        if not minutes or time.monotonic() < until:
            yield plan
        elif tell:
            print(f"{plan.kind} seed {plan.seed}: left out, {minutes} minutes are over", flush=True)
        else:
            return


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--seed", default="", help="a whole number; by default another one each time")
    parser.add_argument("--runs", default="", help="how many; by default one of each kind")
    parser.add_argument("--kinds", default="", help="names with commas between them; by default all")
    parser.add_argument("--minutes", default="0", help="go on for so long, whatever the number of runs")
    parser.add_argument("--within", default="0", help="begin no run after so many minutes")
    parser.add_argument("--length", choices=("short", "usual", "long"), default="usual", help="of each plan")
    parser.add_argument("--jobs", default="1", help="how many runs at a time")
    parser.add_argument("--tries", default="1", help="of a run that hangs or has no broker")
    parser.add_argument("--results", type=Path, default=results.FILE, help="the file to write")
    parser.add_argument("--add", action="store_true", help="keep the runs that the file of results has")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
