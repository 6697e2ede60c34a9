"""Producers whose clocks are wrong, and partitions into which nothing comes for a while.

What is minutes behind is late, what is a day ahead is a dead letter, and what is some seconds behind is
counted: the windows wait for longer than that.
"""

import random
import time
from collections.abc import Sequence
from zlib import crc32

from tests.faults.plan import EXACTLY_ONCE, Fault, Kind, now_and_then
from tests.faults.run import READY_SECONDS, Run, start_two_workers
from tests.faults.shapes import AHEAD, BEHIND, CLOCK_DELAY_MS, CLOCK_KEYS, CLOCK_SPAN_MS, clock_message
from tests.kafka.cluster import Sent, alter_topic, wait_until
from tests.kafka.scenario import PARTITIONS

PORTION = 200
IDLE_SECONDS = 9.0
DISORDER_MS = 3_000
MINUTE_MS, DAY_MS = 60_000, 86_400_000
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}
FIRST_OF_FAULTS = 10_000_000


def _now_ms() -> int:
    return int(time.time() * 1000)


def _load(run: Run, count: int) -> list[Sent]:
    """From now on, a few seconds of disorder; a partition that is idle has its records in the next one."""
    begin = _now_ms()
    return [_of_load(run, number, number * run.plan.seconds / count, begin) for number in range(count)]


def _of_load(run: Run, number: int, at_seconds: float, begin: int) -> Sent:
    key = run.rng.choice(CLOCK_KEYS)
    idle = {
        fault.number % PARTITIONS
        for fault in run.plan.faults
        if fault.action == "idle" and fault.at_seconds <= at_seconds < fault.at_seconds + IDLE_SECONDS
    }
    partition = crc32(key.encode()) % PARTITIONS
    while partition in idle and len(idle) < PARTITIONS:
        partition = (partition + 1) % PARTITIONS
    behind = run.rng.randrange(DISORDER_MS)
    return clock_message(key, number, begin + round(1000 * at_seconds) - behind, partition)


def _start_with_windows_closed(run: Run) -> None:
    """Before anything is late, every partition has been read, and its time is known behind the hop."""
    alter_topic(run.scenario.servers, run.scenario.in_topic, ANY_TIME)
    start_two_workers(run)
    for minutes in (2, 1):
        at = _now_ms() - minutes * MINUTE_MS
        run.send([clock_message(key, -1, at, number) for key in CLOCK_KEYS for number in range(PARTITIONS)])
    tail = run.scenario.tail(run.scenario.out_topic)
    wait_until(lambda: len(tail.messages) >= len(CLOCK_KEYS), READY_SECONDS)
    # The first windows of the load are still open for so long.
    begin = time.monotonic()
    run.away.append((begin, begin + (CLOCK_SPAN_MS + CLOCK_DELAY_MS) / 1000))


def _skew(run: Run, fault: Fault) -> None:
    rng = random.Random(fault.number)  # noqa: S311 - chance, not secrets
    match fault.action:
        case "behind":
            now = _now_ms()
            times = [now - rng.randrange(5, 15) * MINUTE_MS for _ in range(PORTION)]
            run.send(_told(rng, fault, times, BEHIND))
        case "ahead":
            now = _now_ms()
            times = [now + rng.randrange(1, 90) * DAY_MS for _ in range(PORTION)]
            run.send(_told(rng, fault, times, AHEAD))
        case "kill":
            run.kill_a_worker(fault.number)


def _told(rng: random.Random, fault: Fault, times: Sequence[int], clock: str) -> Sequence[Sent]:
    first = FIRST_OF_FAULTS + fault.number * PORTION
    return [clock_message(rng.choice(CLOCK_KEYS), first + n, at, clock=clock) for n, at in enumerate(times)]


KINDS = (
    Kind(
        "clock",
        ("clock",),
        lambda rng, s: now_and_then(rng, s, ["behind", "ahead", "idle", "idle", "kill"], (1, 3)),
        _skew,
        _start_with_windows_closed,
        _load,
        guarantees=(EXACTLY_ONCE,),
    ),
)
