"""A TCP receiver that goes away, does not read, reads slowly, or resets its connections."""

import time

from tests.faults.plan import Fault, Kind, now_and_then
from tests.faults.run import Run
from tests.kafka.cluster import wait_until

SLOW_STEPS = 8
STEP_SECONDS = 0.25


def _trouble(run: Run, fault: Fault) -> None:
    """It never goes away while it does not read: what its kernel has taken then is lost by plain TCP."""
    with run.nothing_can_arrive():
        match fault.action:
            case "away":
                _stop(run)
                time.sleep(1 + fault.number % 4)
                run.receiver.start()
            case "reset":
                _stop(run)
                run.receiver.start()
            case "deaf":
                run.receiver.reading.clear()
                time.sleep(1 + fault.number % 4)
                _catch_up(run)
            case "slow":
                _read_slowly(run)
                _catch_up(run)


def _stop(run: Run) -> None:
    """At a moment at which everything has been read: on a busy machine it may be a second behind."""
    wait_until(lambda: not run.receiver.unread_bytes())
    run.receiver.stop()


def _read_slowly(run: Run) -> None:
    for _ in range(SLOW_STEPS):
        run.receiver.reading.clear()
        time.sleep(STEP_SECONDS)
        run.receiver.reading.set()
        time.sleep(STEP_SECONDS / 10)


def _catch_up(run: Run) -> None:
    """Read again, and return when what the kernel has taken meanwhile has been read."""
    read, unread = run.received_bytes(), run.receiver.unread_bytes()
    run.receiver.reading.set()
    wait_until(lambda: run.received_bytes() >= read + unread)


KINDS = (
    Kind(
        "receiver",
        ("tcp-sink",),
        lambda rng, s: now_and_then(rng, s, ["away", "reset", "deaf", "slow"], (2, 4)),
        _trouble,
    ),
)
