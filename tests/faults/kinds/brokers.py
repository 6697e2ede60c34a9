"""A broker that is killed or restarted under load, alone or together with a worker."""

import random
import time
from collections.abc import Sequence

from tests.faults.plan import Fault, Kind, now_and_then
from tests.faults.run import Run

SHAPES = ("keyed", "hop", "count", "tcp-sink", "generator")
# It is away for about ten seconds, which nobody's time-out should end.
SETTINGS = {"session_timeout_ms": 45_000, "transaction_timeout_ms": 60_000}
# Partitions of a worker that dies while no broker is there wait for so long.
SHORTER = {"session_timeout_ms": 20_000, "transaction_timeout_ms": 60_000}


def _faults(rng: random.Random, seconds: float) -> Sequence[Fault]:
    return now_and_then(rng, seconds, ["kill", "stop"], (9, 12))


def _restart(run: Run, fault: Fault) -> None:
    with run.nothing_can_arrive():
        getattr(run.broker, fault.action)()
        time.sleep(fault.number % 3)
        run.broker.start()


def _restart_with_a_worker(run: Run, fault: Fault) -> None:
    """The worker dies shortly before, or while no broker is there."""
    run.faults += 1
    if fault.number % 2:
        run.kill_a_worker(fault.number)
        _restart(run, fault)
        return
    with run.nothing_can_arrive():
        getattr(run.broker, fault.action)()
        run.kill_a_worker(fault.number)
        run.broker.start()


KINDS = (
    Kind("broker-kill", SHAPES, _faults, _restart, settings=SETTINGS),
    Kind("broker-and-worker-kill", SHAPES, _faults, _restart_with_a_worker, settings=SHORTER),
)
