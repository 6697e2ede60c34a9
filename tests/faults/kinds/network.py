"""A network that breaks, holds still, lets nothing through in one direction, or delivers late."""

import random
import time
from collections.abc import Sequence

from tests.faults.plan import EXACTLY_ONCE, SHORT_SECONDS, Fault, Kind, now_and_then
from tests.faults.run import Run, start_two_workers
from tests.kafka.proxy import RandomResets

SHAPES = ("keyed", "hop", "windows", "count", "tcp-sink", "generator")
MOST_LATE = 10
WORKERS = 2


def _start_behind_proxy(run: Run) -> None:
    run.scenario.settings["bootstrap_servers"] = run.proxy.address
    start_two_workers(run)


def _cuts(rng: random.Random, seconds: float) -> Sequence[Fault]:
    """A worker whose connections are forgotten notices it after a minute: too long for a short plan."""
    forgotten = ["swallow"] if seconds > SHORT_SECONDS else []
    return now_and_then(rng, seconds, ["reset", "stall", "deaf", "mute", *forgotten], (2, 4))


def _cut(run: Run, fault: Fault) -> None:
    """Reset all connections, hold up one direction or both for some seconds, or forget some for good."""
    proxy = run.proxy
    if fault.action == "swallow":
        worker = f"-{fault.number % WORKERS}"
        proxy.swallow(lambda client: client.removesuffix("-b").endswith(worker))
        return
    held = {
        "reset": (),
        "stall": (proxy.requests_pass, proxy.answers_pass),
        "deaf": (proxy.answers_pass,),
        "mute": (proxy.requests_pass,),
    }[fault.action]
    for direction in held:
        direction.clear()
    with run.nothing_can_arrive():
        time.sleep(fault.number % 4_000 / 1_000 if held else 0)
    if fault.number % 2 or not held:
        proxy.reset_all()
    for direction in held:
        direction.set()


def _deliver_late(run: Run, fault: Fault) -> None:
    """Some ends, offsets and additions are held back, their connections reset, and they arrive later."""
    rng = random.Random(fault.number)  # noqa: S311 - chance, not secrets
    resets = run.proxy.plan = RandomResets(rng, share=0.5, most=MOST_LATE)
    time.sleep(1)
    run.faults += resets.resets - 1


KINDS = (
    Kind(
        "cut",
        SHAPES,
        _cuts,
        _cut,
        _start_behind_proxy,
    ),
    Kind(
        "late-end",
        ("keyed", "hop", "count", "generator"),
        lambda rng, s: now_and_then(rng, s, ["late"], (1.5, 3)),
        _deliver_late,
        _start_behind_proxy,
        guarantees=(EXACTLY_ONCE,),
    ),
)
