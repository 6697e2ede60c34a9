"""Delivery from an outbox to a topic of another cluster: whatever becomes of either, nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict

import pytest
from confluent_kafka import KafkaException

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker
from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.crashing import at_any_moment
from tests.kafka.delivering import KEYS, delivered, killed_in_the_end, loop_to, running
from tests.kafka.model import transaction
from tests.kafka.tail import Tail
from wallaroo.errors import StopProcessing
from wallaroo.kafka.clients import remote_producer
from wallaroo.observability import metrics
from wallaroo.settings import Settings
from wallaroo.topology.model import RemoteTopic

REASON = "__streams.errors.message"


@pytest.fixture(scope="module")
def other_broker(kafka_cluster, tmp_path_factory):
    """A second cluster; `far` is to start and stop it."""
    if kafka_cluster.broker is None:
        pytest.skip("this Kafka belongs to somebody else; a second one may not be at hand")
    broker = KafkaBroker(tmp_path_factory.mktemp("far"), performance=SHORT_LIVED)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def far(other_broker):
    """It runs again after the test."""
    yield other_broker
    if not other_broker.running:
        other_broker.start()


@pytest.fixture
def topic(bootstrap_servers, far, application_id):
    """The name of the outbox here, and of the topic there."""
    create_topic(bootstrap_servers, application_id)
    create_topic(far.bootstrap_servers, application_id, 3)
    return application_id


@pytest.fixture
def tail(far, topic):
    """What has arrived."""
    made = Tail(far.bootstrap_servers, topic)
    yield made
    made.close()


@pytest.fixture
def loop(bootstrap_servers, far, application_id):
    """A function that makes the delivery of the test's outbox in a worker."""

    def made(worker=0, **settings):
        remote = RemoteTopic(application_id, (("127.0.0.1", str(far.port)),))
        given = {"bootstrap_servers": bootstrap_servers, "session_timeout_ms": 6_000, **settings}
        return loop_to(remote, application_id, given, worker)

    return made


DELIVERY = """if True:
    import sys
    from tests.kafka.delivering import loop_to
    from wallaroo.topology.model import RemoteTopic
    servers, name, port = sys.argv[1:]
    settings = {"bootstrap_servers": servers, "consume_batch": 10, "session_timeout_ms": 6_000}
    loop_to(RemoteTopic(name, (("127.0.0.1", port),)), name, settings).run()
"""


def numbered(start, end):
    return [Sent(key, str(number)) for number in range(start, end) for key in KEYS]


def wanted(end):
    return {key.encode(): [b"%d" % number for number in range(end)] for key in KEYS}


def by_key(messages):
    found = defaultdict(list)
    for message in messages:
        found[message.key()].append(message.value())
    return dict(found)


def without_repeats(messages):
    """Every record where it came first."""
    return {key: list(dict.fromkeys(values)) for key, values in by_key(messages).items()}


def distinct(tail):
    return {(message.key(), message.value()) for message in tail.read()}


def until_all(tail, end):
    wait_until(lambda: len(distinct(tail)) == end * len(KEYS), 60)


def until_beyond(tail, number):
    wait_until(lambda: len(distinct(tail)) > number * len(KEYS), 60)


def test_every_record_arrives_once_and_in_the_order_of_its_key(bootstrap_servers, topic, tail, loop):
    produce(bootstrap_servers, topic, numbered(0, 500))
    with running(loop()) as running_loop:
        until_all(tail, 500)
        produce(bootstrap_servers, topic, numbered(500, 600))
        wait_until(lambda: delivered(running_loop) == 3_600)
        assert running_loop.status().connected
    assert by_key(tail.read_to_end()) == wanted(600)


def test_key_value_time_and_chosen_partition_arrive_as_they_were(bootstrap_servers, topic, tail, loop):
    chosen = (("partition", b"2"),)
    sent = [
        Sent("rex", "größe", timestamp_ms=1_000),
        Sent(None, b"\x00", timestamp_ms=2_000),
        Sent(b"", b"", timestamp_ms=3_000),
        Sent("rex", None, timestamp_ms=4_000),
        Sent("fido", "there", timestamp_ms=5_000, headers=chosen),
        Sent(None, "there too", timestamp_ms=6_000, headers=chosen),
    ]
    produce(bootstrap_servers, topic, sent)
    with running(loop()):
        wait_until(lambda: len(tail.read()) == len(sent))
    arrived = sorted(tail.read_to_end(), key=lambda message: message.timestamp())
    assert [(m.key(), m.value(), m.timestamp()[1]) for m in arrived] == [
        (b"rex", "größe".encode(), 1_000),
        (None, b"\x00", 2_000),
        (b"", b"", 3_000),
        (b"rex", None, 4_000),
        (b"fido", b"there", 5_000),
        (None, b"there too", 6_000),
    ]
    assert [message.partition() for message in arrived[-2:]] == [2, 2]
    assert arrived[0].partition() == arrived[3].partition()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_cluster_that_stops_and_starts_while_records_flow_misses_none(
    bootstrap_servers, topic, tail, far, loop, end
):
    with running(loop()) as running_loop:
        produce(bootstrap_servers, topic, numbered(0, 300))
        until_beyond(tail, 100)
        getattr(far, end)()
        produce(bootstrap_servers, topic, numbered(300, 600))
        wait_until(lambda: not running_loop.status().connected)
        far.start()
        until_all(tail, 600)
        produce(bootstrap_servers, topic, numbered(600, 700))
        until_all(tail, 700)
        assert running_loop.status().connected
    assert without_repeats(tail.read_to_end()) == wanted(700)


def test_a_cluster_that_is_away_is_reported_and_what_waits_outlives_a_restart(
    bootstrap_servers, topic, tail, far, loop
):
    far.stop()
    produce(bootstrap_servers, topic, numbered(0, 100))
    with running(loop()) as first:
        wait_until(lambda: first.status().partitions == 4)
        assert not first.status().connected
    far.start()
    with running(loop()) as second:
        wait_until(lambda: delivered(second) == 600)
    assert by_key(tail.read_to_end()) == wanted(100)


def test_a_topic_that_is_not_there_yet_is_waited_for(bootstrap_servers, far, application_id, loop, caplog):
    create_topic(bootstrap_servers, application_id)
    produce(bootstrap_servers, application_id, numbered(0, 10))
    with running(loop()) as running_loop:
        wait_until(lambda: "sink not connected" in caplog.text)
        assert not running_loop.status().connected
        create_topic(far.bootstrap_servers, application_id, 3)
        wait_until(lambda: delivered(running_loop) == 60)
    assert "Unknown topic" in str([getattr(record, "error", "") for record in caplog.records])
    assert by_key(read_topic(far.bootstrap_servers, application_id)) == wanted(10)


def test_a_worker_that_is_killed_loses_nothing(bootstrap_servers, topic, tail, far, loop):
    produce(bootstrap_servers, topic, numbered(0, 1_000))
    for number in range(1, 4):
        with killed_in_the_end(DELIVERY, bootstrap_servers, topic, str(far.port)):
            until_beyond(tail, 200 * number)
    with running(loop()):
        until_all(tail, 1_000)
    assert without_repeats(tail.read_to_end()) == wanted(1_000)


def freeze(child):
    """Return when every thread of it stands still."""
    os.kill(child, signal.SIGSTOP)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


def test_a_process_that_has_stood_still_sends_nothing_of_what_its_client_holds(far, tail, topic):
    script = """if True:
        import sys
        from wallaroo.kafka.clients import remote_producer
        from wallaroo.settings import Settings
        settings = Settings(session_timeout_ms=6_000, delivery={"batch.num.messages": "10"})
        producer = remote_producer(settings, sys.argv[1], "frozen", False)
        for first in (0, 1), (1, 2_000):
            for number in range(*first):
                producer.produce(sys.argv[2], str(number), "rex")
            print(producer.flush(0.5 if first[0] else 20), flush=True)
            sys.stdin.readline()
        producer.flush(3)
    """
    command = [sys.executable, "-c", script, far.bootstrap_servers, topic]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"0\n"
        freeze(far.pid)
        process.stdin.write(b"go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"1999\n"
        freeze(process.pid)
        os.kill(far.pid, signal.SIGCONT)
        # A session's time-out: its partitions are somebody else's from now on.
        threading.Event().wait(6)
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
    arrived = [int(message.value()) for message in tail.read_to_end()]
    assert arrived == list(range(len(arrived)))
    # At most five batches of ten were under way.
    assert 1 <= len(arrived) <= 51


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_workers_that_come_and_go_under_load_lose_nothing(bootstrap_servers, topic, tail, loop, protocol):
    with running(loop(0, group_protocol=protocol)) as first:
        produce(bootstrap_servers, topic, numbered(0, 200))
        with running(loop(1, group_protocol=protocol)) as second:
            produce(bootstrap_servers, topic, numbered(200, 400))
            wait_until(lambda: first.status().partitions == second.status().partitions == 2)
            produce(bootstrap_servers, topic, numbered(400, 600))
        produce(bootstrap_servers, topic, numbered(600, 700))
        until_all(tail, 700)
    assert without_repeats(tail.read_to_end()) == wanted(700)


@pytest.fixture
def picky(bootstrap_servers, far, application_id):
    """The topic there is compacted, and takes no large records."""
    create_topic(bootstrap_servers, application_id)
    create_topic(bootstrap_servers, f"{application_id}-dlq", 1)
    config = {"max.message.bytes": "20000", "cleanup.policy": "compact", "compression.type": "uncompressed"}
    create_topic(far.bootstrap_servers, application_id, 3, config)
    return application_id


def with_bad_ones(end):
    """Good records, and among them some that the other cluster will never take, for three reasons."""
    bad = {
        20: Sent("rex", "." * 40_000),
        50: Sent(None, "without a key"),
        51: Sent("rex", "nowhere", headers=(("partition", b"3"),)),
        80: Sent("fido", "." * 50_000),
    }
    records = []
    for number in range(end):
        if number in bad:
            records.append(bad[number])
        records += numbered(number, number + 1)
    return records


def test_a_record_that_will_never_be_taken_becomes_a_dead_letter_and_nothing_overtakes(
    bootstrap_servers, picky, tail_of_picky, loop
):
    produce(bootstrap_servers, picky, with_bad_ones(200))
    with running(loop(delivery={"compression.type": "none", "batch.num.messages": "10"})) as made:
        wait_until(lambda: delivered(made) == 1_204, 60)
        assert made.status().connected
        produce(bootstrap_servers, picky, numbered(200, 300))
        until_all(tail_of_picky, 300)
        counted = made.metrics.values.snapshot()
    assert without_repeats(tail_of_picky.read_to_end()) == wanted(300)
    dead = read_topic(bootstrap_servers, f"{picky}-dlq")
    reasons = {
        (m.key(), len(m.value())): next(v for n, v in m.headers() if n == REASON).decode() for m in dead
    }
    assert len(dead) == 4
    assert "Message size too large" in reasons[b"rex", 40_000]
    assert "Message size too large" in reasons[b"fido", 50_000]
    assert "Unknown partition" in reasons[b"rex", len("nowhere")]
    assert "Broker failed to validate record" in reasons[None, len("without a key")]
    assert counted[metrics.DEAD_LETTERS.name, ("alerts", "RecordError")] == 4


@pytest.fixture
def tail_of_picky(far, picky):
    made = Tail(far.bootstrap_servers, picky)
    yield made
    made.close()


def test_what_comes_behind_a_record_that_is_refused_does_not_overtake_it(far, picky, tail_of_picky):
    settings = Settings(delivery={"compression.type": "none", "batch.num.messages": "1"})
    producer = remote_producer(settings, far.bootstrap_servers, "client", False)
    for number in range(100):
        producer.produce(picky, "." * 40_000 if number == 50 else str(number), "rex")
    with pytest.raises(KafkaException, match="GAPLESS"):
        producer.flush(20)
    assert [int(message.value()) for message in tail_of_picky.read_to_end()] == list(range(50))


def test_a_record_that_will_never_be_taken_is_skipped_where_the_policy_says_so(
    bootstrap_servers, picky, tail_of_picky, loop
):
    produce(bootstrap_servers, picky, with_bad_ones(100))
    with running(loop(on_error="skip", delivery={"compression.type": "none"})) as made:
        wait_until(lambda: delivered(made) == 604, 60)
        counted = made.metrics.values.snapshot()
    assert without_repeats(tail_of_picky.read_to_end()) == wanted(100)
    assert read_topic(bootstrap_servers, f"{picky}-dlq") == []
    assert counted[metrics.RECORDS_DROPPED.name, ("alerts", "skipped")] == 4


def test_a_record_that_will_never_be_taken_ends_the_service_where_the_policy_says_so(
    bootstrap_servers, picky, loop
):
    produce(bootstrap_servers, picky, [Sent("rex", "." * 40_000)])
    made = loop(on_error="stop", delivery={"compression.type": "none"})
    with pytest.raises(StopProcessing, match=r"refuses it: .*Message size too large"):
        made.run()


def deposits(count):
    """Every user's totals rise, so that each alert is told from the one before."""
    return [transaction(f"user-{number % 40}", 600 + number) for number in range(count)]


def test_alerts_for_another_cluster_survive_a_killed_worker_and_an_outage(scenario, far, rng):
    create_topic(far.bootstrap_servers, scenario.out_topic, 3)
    scenario.arguments = [f"--out-broker={far.bootstrap_servers}"]
    service = scenario.start(workers=2)
    assert service.get_json("/topology?format=json")["deliveries"][0]["sends"] == (
        f"kafka {far.bootstrap_servers} {scenario.out_topic}"
    )
    with scenario.feeding(deposits(4_000), seconds=8):
        at_any_moment(rng)
        service.kill_worker(rng)
        far.kill()
        at_any_moment(rng)
        far.start()
        service.kill_worker(rng)
    arrived = Tail(far.bootstrap_servers, scenario.out_topic)
    expected = {user.encode(): totals for user, totals in scenario.expected.alerts.items()}
    wait_until(lambda: totals_without_repeats(arrived) == expected, 90)
    arrived.close()
    scenario.stop_all()
    assert scenario.totals() == scenario.expected.totals


def totals_without_repeats(tail):
    alerts = without_repeats(tail.read())
    return {user: [json.loads(value)["total"] for value in values] for user, values in alerts.items()}
