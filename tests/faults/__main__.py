"""`make faults`: plans from a seed on a Kafka of its own, a table, and exit code 1 where something was wrong.

Usage: python -m tests.faults [--seed N] [--runs N] [--kinds A,B] [--minutes N] [--add]
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from scripts.kafka.errors import KafkaStartError, KafkaUnavailableError
from tests.faults import results
from tests.faults.kinds import all_kinds
from tests.faults.nodes import three_nodes
from tests.faults.plan import Kind, Plan, PlanError, chosen, plans, whole
from tests.faults.run import Outcome, Run, Site
from tests.kafka.provider import from_jars
from tests.kafka.proxy import FaultyProxy

FOLDER = Path("build/faults")
MOST_RUNS = 10_000


def main(argv: list[str]) -> int:
    """Returns 0, 1 where a run was wrong, 2 where nothing could be run, and 130 where it was ended."""
    signal.signal(signal.SIGTERM, _end)
    given = _options(argv)
    try:
        planned, minutes = list(_planned(given)), whole("MINUTES", given.minutes, 0)
        with from_jars() as cluster, closing(FaultyProxy(cluster.proxy_port, cluster.proxied_port)) as proxy:
            outcomes = _kept(_outcomes(planned, Site((cluster.broker,), proxy), minutes), given)
    except (PlanError, KafkaUnavailableError, KafkaStartError) as error:
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
            f"logs in {_folder(outcome.kind, outcome.seed)}: {outcome.ended}"
        )
    return int(bool(wrong))


def _kept(outcomes: Iterator[Outcome], given: argparse.Namespace) -> list[Outcome]:
    """All of them, each written down as soon as it is there."""
    before, made = results.read(given.results) if given.add else [], []
    for outcome in outcomes:
        made.append(outcome)
        results.write([*before, *map(asdict, made)], given.results)
    return made


def _planned(given: argparse.Namespace) -> Iterator[Plan]:
    kinds = chosen(given.kinds, all_kinds())
    seed = whole("SEED", given.seed, 0) if given.seed else random.SystemRandom().randrange(10**6)
    runs = whole("RUNS", given.runs, 1) if given.runs else len(kinds)
    if whole("MINUTES", given.minutes, 0):
        runs = MOST_RUNS
    print(f"SEED={seed} RUNS={runs} KINDS={','.join(kind.name for kind in kinds)}", flush=True)
    return plans(seed, runs, kinds)


def _outcomes(planned: list[Plan], site: Site, minutes: int) -> Iterator[Outcome]:
    kinds = all_kinds()
    until = time.monotonic() + 60 * minutes
    for plan in planned:
        if minutes and time.monotonic() > until:
            return
        outcome = run(plan, kinds[plan.kind], site)
        print(_line(outcome), flush=True)
        yield outcome


def run(plan: Plan, kind: Kind, site: Site) -> Outcome:
    """Run a plan; its logs stay, instead of those of a run before."""
    folder = _folder(plan.kind, plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    for log in folder.iterdir():
        log.unlink()
    if kind.nodes == 1:
        return Run(plan, kind, site, folder)()
    with three_nodes() as nodes:
        return Run(plan, kind, Site(nodes), folder)()


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.kind} seed {outcome.seed}, {outcome.variant}: {outcome.faults} faults, "
        f"{outcome.records} records, {outcome.alerts} alerts, {outcome.lost} lost, "
        f"{outcome.doubled} doubled, {outcome.out_of_order} out of order, "
        f"longest stall {outcome.longest_stall_seconds} s, {outcome.ended}"
    )


def _folder(kind: str, seed: int) -> Path:
    return FOLDER / f"{kind}-{seed}"


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--seed", default="", help="a whole number; by default another one each time")
    parser.add_argument("--runs", default="", help="how many; by default one of each kind")
    parser.add_argument("--kinds", default="", help="names with commas between them; by default all")
    parser.add_argument("--minutes", default="0", help="go on for so long, whatever the number of runs")
    parser.add_argument("--results", type=Path, default=results.FILE, help="the file to write")
    parser.add_argument("--add", action="store_true", help="keep the runs that the file of results has")
    return parser.parse_args(argv)


def _end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends the harness as Ctrl-C does, and so everything that it has started."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
