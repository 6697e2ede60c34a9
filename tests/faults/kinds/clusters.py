"""One node of three that is killed or restarted: another one leads and coordinates in its place."""

import random
import time
from collections.abc import Sequence

from tests.faults.nodes import NODES, await_whole, leader_of
from tests.faults.plan import Fault, Kind, now_and_then
from tests.faults.run import Run

SHAPES = ("keyed", "hop", "count")
COORDINATED = {"group": "__consumer_offsets", "transactions": "__transaction_state"}


def _coordinators(rng: random.Random, seconds: float) -> Sequence[Fault]:
    return now_and_then(rng, seconds, [*COORDINATED], (8, 10))


def _kill_coordinator(run: Run, fault: Fault) -> None:
    """The node that coordinates groups, or transactions."""
    await_whole(run.scenario.servers)
    topic = COORDINATED[fault.action]
    if run.plan.variant.guarantee != "exactly_once":
        topic = COORDINATED["group"]
    node = run.brokers[leader_of(run.scenario.servers, topic, fault.number) - 1]
    with run.nothing_can_arrive():
        node.kill()
        time.sleep(fault.number % 4)
        node.start()
        await_whole(run.scenario.servers)


def _roll(run: Run, fault: Fault) -> None:
    """Restart one node after the other, each when the cluster is whole again."""
    await_whole(run.scenario.servers)
    node = run.brokers[(run.faults + run.plan.seed) % NODES]
    with run.nothing_can_arrive():
        node.stop() if fault.action == "stop" else node.kill()
        node.start()
        await_whole(run.scenario.servers)


KINDS = (
    Kind("coordinator-kill", SHAPES, _coordinators, _kill_coordinator, nodes=NODES),
    Kind(
        "rolling-brokers",
        SHAPES,
        lambda rng, s: now_and_then(rng, s, ["stop", "stop", "kill"], (6, 8)),
        _roll,
        nodes=NODES,
    ),
)
