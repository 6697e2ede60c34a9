"""Processes that are killed, frozen, or die at a named point, and instances that come and go."""

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.faults.plan import EXACTLY_ONCE, Fault, Kind, now_and_then
from tests.faults.run import READY_SECONDS, Run, start_two_workers
from tests.kafka.cluster import wait_until
from wallaroo.engine.transaction import ProbePoint

SHAPES = ("keyed", "hop", "windows", "count", "tcp-sink", "generator")
MOST_GUESTS = 2
FROZEN_SECONDS = 8
LONG_SECONDS = 10
COMMIT_POINTS = (
    ProbePoint.BEFORE_BEGIN,
    ProbePoint.AFTER_PRODUCE,
    ProbePoint.AFTER_OFFSETS,
    ProbePoint.AFTER_COMMIT,
)
RESTORE = ProbePoint.DURING_RESTORE


def _kill_worker(run: Run, fault: Fault) -> None:
    """One of those that work, or at once, while one may still be starting."""
    if fault.action == "working":
        run.living()[0].wait_ready(READY_SECONDS)
    run.kill_a_worker(fault.number)


def _kill_supervisor(run: Run, fault: Fault) -> None:
    """Another one starts at once, or when the workers of the first have stopped by themselves."""
    service = run.living()[0]
    service.kill_supervisor()
    if fault.action == "later":
        wait_until(lambda: not service.session_lives(), READY_SECONDS)
    # One that has not begun to work cannot show what it loses.
    run.launch(workers=2).wait_ready(READY_SECONDS)


def _start_two_services(run: Run) -> None:
    services = [run.launch(workers=2), run.launch()]
    for service in services:
        service.wait_ready(READY_SECONDS)


def _freeze(run: Run, fault: Fault) -> None:
    """Its session is over before it wakes up as a zombie."""
    service = run.living()[fault.number % len(run.living())]
    pids = wait_until(service.worker_pids, READY_SECONDS)
    pid = pids[fault.number // 2 % len(pids)]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS + fault.number % 3)
        os.kill(pid, signal.SIGCONT)


def _all_points(rng: random.Random, seconds: float) -> Sequence[Fault]:
    """Every point of a commit in any order, one if time is short, and a restore after the first and last."""
    most = len(COMMIT_POINTS) if seconds >= LONG_SECONDS else 1
    points = [Fault(0, point, rng.randrange(1, 6)) for point in rng.sample(COMMIT_POINTS, most)]
    return [points[0], Fault(0, RESTORE, 1), *points[1:], Fault(0, RESTORE, 1)][: most + 2]


def _start_faulty(run: Run) -> None:
    # What has never been committed need not be restored.
    start_two_workers(run)
    first = run.scenario.services[0]
    run.send(run.load(1_000))
    first.terminate()
    first.wait(READY_SECONDS)
    faults = ",".join(f"{fault.action}:{fault.number}" for fault in run.plan.faults)
    run.scenario.launch_faulty(faults).wait_ready(READY_SECONDS)


def _await_death(run: Run, _fault: Fault) -> None:
    deaths = run.faults
    service = run.scenario.services[-1]
    wait_until(lambda: service.words().count("worker died") >= deaths, READY_SECONDS)


def _come_or_go(run: Run, fault: Fault) -> None:
    """The first one stays; of the others, one more comes or one of them goes."""
    guests = [service for service in run.living() if service is not run.scenario.services[0]]
    if not guests or (fault.action == "join" and len(guests) < MOST_GUESTS):
        run.launch()
    elif fault.action == "kill":
        guests[fault.number % len(guests)].kill_all()
    else:
        guests[fault.number % len(guests)].terminate()


KINDS = (
    Kind(
        "worker-kill",
        SHAPES,
        lambda rng, s: now_and_then(rng, s, ["working", "working", "at once"], (2, 5)),
        _kill_worker,
    ),
    Kind(
        "supervisor-kill",
        SHAPES,
        lambda rng, s: now_and_then(rng, s, ["at once", "later"], (4, 7)),
        _kill_supervisor,
    ),
    Kind(
        "worker-freeze",
        SHAPES,
        lambda rng, s: now_and_then(rng, s, ["freeze"], (10, 12)),
        _freeze,
        _start_two_services,
    ),
    Kind(
        "named-point", ("keyed", "hop"), _all_points, _await_death, _start_faulty, guarantees=(EXACTLY_ONCE,)
    ),
    Kind(
        "rebalance-storm",
        ("keyed", "hop", "windows", "count"),
        lambda rng, s: now_and_then(rng, s, ["join", "join", "term", "kill"], (0.8, 1.2)),
        _come_or_go,
    ),
)
