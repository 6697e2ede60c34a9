"""Records that are hard to take, and partitions that are added."""

from confluent_kafka.admin import AdminClient, NewPartitions

from tests.faults.plan import EXACTLY_ONCE, LONG_SECONDS, Fault, Kind, now_and_then
from tests.faults.run import READY_SECONDS, Run
from tests.faults.shapes import change, changes
from tests.kafka.cluster import Sent
from tests.kafka.model import MALFORMED

PORTION = 300
REFRESH = {"WALLAROO_CONSUMER__TOPIC_METADATA_REFRESH_INTERVAL_MS": "1000"}
FIRST_ADDED = 10_000_000
# Longer than every time-out of a group and of a transaction; in long plans one record of each run takes it.
LONG_NAP_SECONDS, NAP_SECONDS = 75.0, 8.0


def _load(run: Run, count: int) -> list[Sent]:
    """Half of all for one user, and a tenth malformed."""
    return [_poisonous_mix(sent, run.rng.random(), n) for n, sent in enumerate(changes(run.rng, count))]


def _poisonous_mix(sent: Sent, share: float, number: int) -> Sent:
    if share < 0.1:
        return Sent(sent.key, MALFORMED[number % len(MALFORMED)])
    return change("user-hot", number, 1) if share < 0.6 else sent


def _poison(run: Run, fault: Fault) -> None:
    numbers = range(fault.number * PORTION + FIRST_ADDED, (fault.number + 1) * PORTION + FIRST_ADDED)
    nap_seconds = (
        LONG_NAP_SECONDS if run.plan.seconds >= LONG_SECONDS and not _has_napped(run) else NAP_SECONDS
    )
    run.send([_poisonous(fault, number, nap_seconds) for number in numbers])


def _has_napped(run: Run) -> bool:
    return any(fault.action == "nap" for fault in run.plan.faults[: run.faults - 1])


def _poisonous(fault: Fault, number: int, nap_seconds: float) -> Sent:
    if fault.action == "malformed":
        return Sent(f"user-{number % 7}", MALFORMED[number % len(MALFORMED)])
    if fault.action == "raising" and not number % 10:
        return change(f"faulty-{number % 3}", number, 1)
    if fault.action == "nap" and not number % PORTION:
        return change("user-1", number, 1, nap_seconds=nap_seconds)
    return change("user-hot" if fault.action == "hot" else f"user-{number % 7}", number, 1)


def _grow(run: Run, fault: Fault) -> None:
    """One partition more, and new users whose records are all there."""
    scenario = run.scenario
    admin = AdminClient({"bootstrap.servers": scenario.servers})
    there = len(admin.list_topics(scenario.in_topic, 20).topics[scenario.in_topic].partitions)
    wanted = NewPartitions(scenario.in_topic, there + 1)
    admin.create_partitions([wanted])[scenario.in_topic].result(20)
    first = fault.number * PORTION + FIRST_ADDED
    users = [f"new-{there}-{n}" for n in range(5)]
    run.send([change(users[n % 5], n, 7, partition=there) for n in range(first, first + PORTION)])


def _start_attentive(run: Run) -> None:
    run.scenario.launch(REFRESH, workers=2).wait_ready(READY_SECONDS)


KINDS = (
    Kind(
        "poison",
        ("keyed", "hop", "tcp-sink"),
        lambda rng, s: now_and_then(rng, s, ["malformed", "raising", "hot", "nap"], (1, 3)),
        _poison,
        load=_load,
    ),
    Kind(
        "growth",
        ("hop",),
        lambda rng, s: now_and_then(rng, s, ["grow"], (4, 7)),
        _grow,
        _start_attentive,
        guarantees=(EXACTLY_ONCE,),
        placed=True,
    ),
)
