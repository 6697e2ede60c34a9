"""The main job, whole: nasty transactions into the shipped application, killed and restarted on the way."""

import time
from collections import Counter, defaultdict
from contextlib import suppress

import pytest

from tests.kafka.cluster import Sent, topic_config, wait_until
from tests.kafka.crashing import at_any_moment
from tests.kafka.delivering import Receiver
from tests.kafka.model import totals_in
from tests.topologies.generate import Mix, transactions
from tests.topologies.reference import exactly, expected, parse, read_alerts

pytestmark = pytest.mark.slow
PREFIX = "__streams.errors."
KAFKA_STREAMS_NAMES = {"exception", "message", "stacktrace", "topic", "partition", "offset"}
STAGE = "check-transaction-total"
HOP, NO_HOP = (), ("--partitioned-by-user",)
NASTY = Mix(malformed=0.1, null_keys=0.02, whales=0.03, overflows=0.02, megabytes=6)


@pytest.fixture
def shipped(scenario):
    scenario.application = "topologies.alerts_stateful"
    return scenario


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


def nasty(rng, count=4_000):
    """Records with everything that a record can have; older ones, the broker would delete."""
    now = time.time_ns() // 1_000_000
    return [
        Sent(key, value, timestamp_ms=now - number, headers=(("number", b"%d" % number),))
        for number, (key, value) in enumerate(transactions(rng.getrandbits(32), count, NASTY))
    ]


def torment(service, rng, feed):
    """Kill a worker, then stop the service and start it again, all under load."""
    at_any_moment(rng)
    service.kill_worker(rng)
    wait_until(lambda: "worker restarted" in service.words())
    at_any_moment(rng)
    assert service.stop() == 0
    service.start()
    service.wait_ready()
    feed.hurry()


def run_through(shipped, rng, stream):
    service = shipped.start()
    with shipped.feeding_raw(stream, seconds=8) as feed:
        torment(service, rng, feed)


def outcome_of(stream, arguments):
    pairs = [(sent.key, sent.value) for sent in stream]
    return expected(pairs, partitioned_by_user=arguments == NO_HOP)


def exact(totals):
    """To the last digit, by a user's name or its bytes."""
    return {u if isinstance(u, str) else u.decode(): exactly(total) for u, total in totals.items()}


def settle(shipped, wanted):
    """Wait until all is there; if it never is, the comparisons show what is wrong."""
    changelog = shipped.tail(shipped.changelog_of(STAGE))
    with suppress(TimeoutError):
        wait_until(lambda: len(shipped.tail(shipped.dead_letters).read()) >= len(wanted.dead), 60)
        wait_until(lambda: exact(totals_in(changelog.read())) == exact(wanted.totals), 60)


def as_sent(message):
    own = tuple(header for header in message.headers() if not header[0].startswith(PREFIX))
    return message.key(), message.value(), int(reasons_of(message)["timestamp"]), own


def reasons_of(message):
    found = dict(message.headers())
    return {name.removeprefix(PREFIX): found[name].decode() for name in found if name.startswith(PREFIX)}


def check_totals(shipped, wanted):
    """The changelog is compacted and holds the final totals, to the last digit."""
    changelog = shipped.changelog_of(STAGE)
    assert "compact" in topic_config(shipped.servers, changelog)["cleanup.policy"]
    found = totals_in(shipped.tail(changelog).read_to_end())
    assert exact(found) == exact(wanted.totals)


def check_dead_letters(shipped, stream, wanted):
    """Each is its record as it came; what failed behind the hop is what the hop made of it."""
    letters = shipped.dead()
    assert all(reasons_of(letter).keys() >= {*KAFKA_STREAMS_NAMES, "stage"} for letter in letters)
    undecodable = Counter(as_sent(m) for m in letters if reasons_of(m)["topic"] == shipped.in_topic)
    behind = Counter(
        (m.key(), parse(m.value())) for m in letters if reasons_of(m)["topic"] != shipped.in_topic
    )
    left = Counter(wanted.dead)
    failed = Counter(wanted.failed) if behind else Counter()
    dead = left - failed
    came = [sent for sent in stream if dead[sent.value]]
    assert undecodable.total() == dead.total()
    assert undecodable <= Counter((s.key, s.value, s.timestamp_ms, s.headers) for s in came)
    assert behind == Counter((parse(value)[0].encode(), parse(value)) for value in failed.elements())


def check_alerts(shipped, wanted):
    found = read_alerts((m.key(), m.value()) for m in shipped.tail(shipped.out_topic).read_to_end())
    assert {user: exactly(alerts) for user, alerts in found.items()} == {
        user: exactly(alerts) for user, alerts in wanted.alerts_by_user.items()
    }


@pytest.mark.parametrize(
    ("workers", "arguments", "protocol"),
    [(1, HOP, "classic"), (2, NO_HOP, "classic"), (2, HOP, "consumer")],
    ids=["hop", "no-hop", "new-protocol"],
)
def test_alerts_totals_and_dead_letters_are_those_of_the_reference(
    shipped, rng, workers, arguments, protocol
):
    shipped.arguments = arguments
    shipped.settings = {"workers": workers, "group_protocol": protocol}
    stream = nasty(rng)
    wanted = outcome_of(stream, arguments)
    run_through(shipped, rng, stream)
    settle(shipped, wanted)
    shipped.stop_all()
    check_alerts(shipped, wanted)
    check_totals(shipped, wanted)
    check_dead_letters(shipped, stream, wanted)


def line_of(alert):
    user = alert["user"].replace("\n", "\\n")
    return f"{alert['kind'].title()} Alert for {user}: {alert['total']}".encode()


def by_user(lines):
    sorted_in = defaultdict(list)
    for line in lines:
        sorted_in[line.rpartition(b": ")[0]].append(line)
    return sorted_in


def is_contained(wanted, found):
    """Whether all of it is there in this order, whatever is repeated in between."""
    rest = iter(found)
    return all(line in rest for line in wanted)


def test_a_receiver_that_stops_and_starts_gets_every_alert_in_the_order_of_its_user(shipped, rng, receiver):
    shipped.arguments = ("--out", f"127.0.0.1:{receiver.port}")
    shipped.settings = {"workers": 2}
    stream = nasty(rng)
    wanted = outcome_of(stream, HOP)
    lines = [line_of(alert) for alerts in wanted.alerts_by_user.values() for alert in alerts]
    service = shipped.start()
    with shipped.feeding_raw(stream, seconds=8) as feed:
        at_any_moment(rng)
        receiver.stop()
        at_any_moment(rng)
        receiver.start()
        torment(service, rng, feed)
    wait_until(lambda: not Counter(lines) - Counter(receiver.lines()), 60)
    settle(shipped, wanted)
    shipped.stop_all()
    found = receiver.lines()
    assert set(found) == set(lines)
    assert all(is_contained(of_user, by_user(found)[user]) for user, of_user in by_user(lines).items())
    check_totals(shipped, wanted)
