"""Delivery from an outbox topic to a TCP receiver: whatever becomes of either, nothing is lost."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from tests.kafka.delivering import (
    KEYS,
    Receiver,
    arrived,
    by_key,
    delivered,
    filling,
    killed_in_the_end,
    numbered,
    running,
    tcp_loop,
    until_beyond,
    wanted,
)
from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp.sink import CAPACITY
from wallaroo.engine.lag_meter import new_lag_meter
from wallaroo.observability import metrics
from wallaroo.observability.measurements import merged
from wallaroo.settings import Settings

DELIVERY = """if True:
    import sys
    from tests.kafka.delivering import tcp_loop
    servers, name, port = sys.argv[1:]
    tcp_loop(name, int(port), {"bootstrap_servers": servers, "consume_batch": 10}).run()
"""


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.reading.set()


@pytest.fixture(params=["classic", "consumer"])
def protocol(request):
    return request.param


@pytest.fixture
def partitions():
    return 4


@pytest.fixture
def start(bootstrap_servers, application_id, partitions, receiver):
    """A function that runs a delivery of the test's outbox for as long as its block lasts."""
    create_topic(bootstrap_servers, application_id, partitions)

    @contextmanager
    def started(worker=0, group_protocol="classic", capacity=CAPACITY, consumer=()):
        settings = {"group_protocol": group_protocol, "consumer": dict(consumer)}
        settings["bootstrap_servers"] = bootstrap_servers
        with running(tcp_loop(application_id, receiver.port, settings, worker, capacity)) as loop:
            yield loop

    return started


def test_every_record_arrives_once_and_in_the_order_of_its_key(
    bootstrap_servers, application_id, start, receiver, protocol
):
    produce(bootstrap_servers, application_id, numbered(0, 500))
    with start(group_protocol=protocol) as loop:
        wait_until(lambda: len(receiver.lines()) == 3_000)
        produce(bootstrap_servers, application_id, numbered(500, 600))
        wait_until(lambda: delivered(loop) == 3_600)
    assert by_key(receiver.lines()) == wanted(600)
    assert loop.status().connected


def test_only_what_is_committed_arrives_and_gaps_in_the_offsets_do_not_matter(
    bootstrap_servers, application_id, start, receiver
):
    producer = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": application_id})
    producer.init_transactions(30)
    for number, end in enumerate([producer.commit_transaction, producer.abort_transaction] * 5):
        producer.begin_transaction()
        for key in KEYS:
            producer.produce(application_id, f"{key} {number // 2}{'' if number % 2 == 0 else '!'}\n", key)
        producer.flush()
        end()
    with start() as loop:
        wait_until(lambda: delivered(loop) == 30)
    assert by_key(receiver.lines()) == wanted(5)


def test_a_clean_stop_and_start_repeats_nothing(bootstrap_servers, application_id, start, receiver, protocol):
    for first in range(0, 300, 100):
        with start(group_protocol=protocol):
            produce(bootstrap_servers, application_id, numbered(first, first + 100))
            until_beyond(receiver, first)
    with start(group_protocol=protocol):
        wait_until(lambda: len(receiver.lines()) >= 1_800)
    assert by_key(receiver.lines()) == wanted(300)


def test_a_receiver_that_stops_and_starts_while_records_flow_misses_none(
    bootstrap_servers, application_id, start, receiver
):
    with start() as loop:
        for first in range(0, 800, 200):
            produce(bootstrap_servers, application_id, numbered(first, first + 100))
            until_beyond(receiver, first)
            receiver.stop()
            produce(bootstrap_servers, application_id, numbered(first + 100, first + 200))
            wait_until(lambda: not loop.status().connected)
            receiver.start()
        assert arrived(receiver, 800)
        wait_until(lambda: loop.status().connected)


def test_a_worker_that_is_killed_loses_nothing(bootstrap_servers, application_id, start, receiver):
    produce(bootstrap_servers, application_id, numbered(0, 1_000))
    for number in range(1, 4):
        with killed_in_the_end(DELIVERY, bootstrap_servers, application_id, str(receiver.port)):
            until_beyond(receiver, 300 * number)
    with start():
        assert arrived(receiver, 1_000)


def test_a_receiver_that_is_away_is_reported_and_what_waits_outlives_a_restart(
    bootstrap_servers, application_id, start, receiver
):
    receiver.stop()
    produce(bootstrap_servers, application_id, numbered(0, 100))
    with start() as loop:
        wait_until(lambda: loop.status().partitions == 4)
        assert not loop.status().connected
        settings = Settings(bootstrap_servers=bootstrap_servers)
        meter = new_lag_meter([loop], settings, "lag", SystemClock())
        meter.start()
        wait_until(lambda: _lag(loop, metrics.CONSUMER_LAG.name, ("alerts", application_id)) == 600)
        meter.stop()
    receiver.start()
    with start():
        assert arrived(receiver, 100)
    assert by_key(receiver.lines()) == wanted(100)


def _lag(loop, name, labels):
    snapshot = merged(loop.metrics.snapshots())
    return sum(value for (n, found), value in snapshot.items() if n == name and found[:2] == labels)


def test_a_receiver_that_does_not_read_stops_nobody_and_gets_everything_in_the_end(
    bootstrap_servers, application_id, start, receiver
):
    receiver.reading.clear()
    with start(capacity=replace(CAPACITY, records=500)) as loop:
        produce(bootstrap_servers, application_id, filling(3_000))
        wait_until(lambda: loop.status().connected)
        wait_until(lambda: delivered(loop) > 0)
        assert loop.status().partitions == 4
        receiver.reading.set()
        wait_until(lambda: len(receiver.lines()) == 3_000)
        wait_until(lambda: delivered(loop) == 3_000)
    assert by_key(receiver.lines()) == by_key(value.strip().encode() for _, value in filling(3_000))


def test_workers_that_come_and_go_under_load_lose_nothing(
    bootstrap_servers, application_id, start, receiver, protocol
):
    with start(0, protocol) as first:
        produce(bootstrap_servers, application_id, numbered(0, 200))
        with start(1, protocol) as second:
            produce(bootstrap_servers, application_id, numbered(200, 400))
            wait_until(lambda: first.status().partitions == second.status().partitions == 2)
            produce(bootstrap_servers, application_id, numbered(400, 600))
        with start(1, protocol):
            produce(bootstrap_servers, application_id, numbered(600, 800))
            wait_until(lambda: len(set(receiver.lines())) == 800 * len(KEYS))
    assert {key: sorted(set(lines)) for key, lines in by_key(receiver.lines()).items()} == {
        key: sorted(lines) for key, lines in wanted(800).items()
    }


def test_what_a_worker_could_not_deliver_is_delivered_by_the_next_owner(
    bootstrap_servers, application_id, start, receiver, protocol
):
    receiver.reading.clear()
    with start(0, protocol) as first:
        produce(bootstrap_servers, application_id, filling(1_500))
        wait_until(lambda: first.status().connected)
        with start(1, protocol) as second:
            wait_until(lambda: first.status().partitions == second.status().partitions == 2)
            receiver.reading.set()
            wait_until(lambda: len(set(receiver.lines())) == 1_500)


def test_a_worker_that_must_give_everything_up_parts_from_the_receiver(
    bootstrap_servers, application_id, start, receiver
):
    eager = {"partition.assignment.strategy": "range"}
    with start(0, consumer=eager) as first:
        produce(bootstrap_servers, application_id, numbered(0, 100))
        wait_until(lambda: len(receiver.lines()) == 600)
        with start(1, consumer=eager) as second:
            wait_until(lambda: first.status().partitions == second.status().partitions == 2)
            produce(bootstrap_servers, application_id, numbered(100, 200))
            wait_until(lambda: len(receiver.lines()) == 1_200)
            assert len(receiver.connections) == 3
    assert by_key(receiver.lines()) == wanted(200)


def test_a_record_without_a_value_is_passed_over(bootstrap_servers, application_id, start, receiver):
    produce(bootstrap_servers, application_id, [Sent("rex", None, 0), Sent("rex", "rex 0\n", 0)])
    with start() as loop:
        wait_until(lambda: delivered(loop) == 2)
    assert receiver.lines() == [b"rex 0"]


@pytest.mark.parametrize("partitions", [1])
def test_a_worker_without_partitions_is_connected_to_nobody(application_id, start, receiver):
    with start(0) as first, start(1) as second:
        wait_until(lambda: first.status().assigned and second.status().assigned)
        wait_until(lambda: len(receiver.connections) == 1)
        assert first.status().partitions + second.status().partitions == 1
        wait_until(lambda: first.status().connected and second.status().connected)
