"""A broker whose disk is full: it dies of that, or is killed, and is started when there is space again."""

from contextlib import suppress

from tests.faults.disk import fill, make_space
from tests.faults.plan import Fault, Kind, now_and_then
from tests.faults.run import Run
from tests.kafka.cluster import wait_until

# It is away for about ten seconds, which nobody's time-out should end.
SETTINGS = {"session_timeout_ms": 45_000, "transaction_timeout_ms": 60_000}
DYING_SECONDS = 8


def _fill_up(run: Run, _fault: Fault) -> None:
    disk = run.site.disk
    assert disk is not None
    with run.nothing_can_arrive():
        fill(disk)
        with suppress(TimeoutError):
            wait_until(lambda: not run.broker.running, DYING_SECONDS)
        print(f"the broker {'refuses' if run.broker.running else 'has died'}")
        run.broker.kill()
        make_space(disk)
        run.broker.start()


KINDS = (
    Kind(
        "disk-full",
        ("keyed", "hop", "count", "tcp-sink"),
        lambda rng, s: now_and_then(rng, s, ["full"], (11, 14)),
        _fill_up,
        settings=SETTINGS,
        disk_mib=700,
    ),
)
