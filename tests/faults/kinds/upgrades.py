"""Upgrades and the way back: instances with changed code beside old ones, or all at once."""

import random
import time
from collections.abc import Sequence

from tests.faults.app import RELEASES
from tests.faults.plan import Fault, Kind, now_and_then
from tests.faults.run import READY_SECONDS, STOP_SECONDS, Run

WAYS = ("rolling", "at once", "killed")


def _upgrades(rng: random.Random, seconds: float) -> Sequence[Fault]:
    return now_and_then(rng, seconds, [f"{way}: {release}" for way in WAYS for release in RELEASES], (4, 6))


def _upgrade(run: Run, fault: Fault) -> None:
    """The new release takes over; while it is rolled out, both are in the same groups for some seconds."""
    way, _, release = fault.action.partition(": ")
    old = run.living()
    run.scenario.arguments = [*run.shape.arguments, f"--release={release}"]
    if way == "rolling":
        run.launch(workers=2).wait_ready(READY_SECONDS)
        time.sleep(fault.number % 4)
    for service in old:
        service.kill_all() if way == "killed" else service.terminate()
        service.wait(STOP_SECONDS)
    if way != "rolling":
        run.launch(workers=2).wait_ready(READY_SECONDS)


KINDS = (Kind("upgrade", ("keyed", "hop"), _upgrades, _upgrade),)
