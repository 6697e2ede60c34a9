"""Delivery from an outbox topic to a TCP receiver: whatever becomes of either, nothing is lost."""

import socket
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp_sink import Limits
from wallaroo.observability import metrics
from wallaroo.runtime.clients import Member
from wallaroo.runtime.delivery import DeliveryLoop
from wallaroo.settings import Settings
from wallaroo.topology.model import Delivery

KEYS = ("rex", "fido", "laika", "belka", "strelka", "muhtar")


class Receiver:
    """Accepts whoever comes and keeps what each connection has brought; can go away and come back."""

    def __init__(self):
        self.connections = []
        self.port = 0
        self.reading = threading.Event()
        self.reading.set()
        self.start()

    def start(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._start_thread(self._accept, self._listener)

    def stop(self):
        """Close everything at once, whatever has not been read."""
        for sock in (self._listener, *self._open):
            with sock:
                # Wakes the thread that waits on it.
                sock.shutdown(socket.SHUT_RDWR)

    def lines(self):
        """Whole lines, connection by connection."""
        return [line for brought in list(self.connections) for line in bytes(brought).split(b"\n")[:-1]]

    def _start_thread(self, work, *args):
        threading.Thread(target=work, args=args, daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections.append(bytearray())
            self._start_thread(self._read, connection, self.connections[-1])

    def _read(self, connection, brought):
        with connection:
            while True:
                self.reading.wait()
                try:
                    block = connection.recv(65_536)
                except OSError:
                    return
                if not block:
                    return
                brought += block


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
    delivery = Delivery("alerts", f"{application_id}-delivery", application_id, "127.0.0.1", receiver.port)

    @contextmanager
    def started(worker=0, group_protocol="classic", limits=None, consumer=()):
        settings = Settings(
            bootstrap_servers=bootstrap_servers, group_protocol=group_protocol, consumer=dict(consumer)
        )
        member = Member(application_id, "test", worker)
        loop = DeliveryLoop(delivery, settings, member, SystemClock(), limits)
        with running(loop):
            yield loop

    return started


@contextmanager
def running(loop):
    failures = []

    def run():
        try:
            loop.run()
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert failures == []


@contextmanager
def killed_in_the_end(bootstrap_servers, application_id, receiver):
    """A delivery in a process of its own, until SIGKILL."""
    script = """if True:
        import sys
        from wallaroo.clock import SystemClock
        from wallaroo.runtime.clients import Member
        from wallaroo.runtime.delivery import DeliveryLoop
        from wallaroo.settings import Settings
        from wallaroo.topology.model import Delivery
        servers, name, port = sys.argv[1:]
        delivery = Delivery("alerts", f"{name}-delivery", name, "127.0.0.1", int(port))
        settings = Settings(bootstrap_servers=servers, consume_batch=10)
        DeliveryLoop(delivery, settings, Member(name, "test", 0), SystemClock()).run()
    """
    command = [sys.executable, "-c", script, bootstrap_servers, application_id, str(receiver.port)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


def numbered(start, end):
    return [(key, f"{key} {number}\n") for number in range(start, end) for key in KEYS]


def filling(count):
    """Records that fill every buffer on the way."""
    return [(key, f"{key} {number} {'.' * 20_000}\n") for number in range(count // 6) for key in KEYS]


def wanted(end):
    return {key.encode(): [b"%s %d" % (key.encode(), number) for number in range(end)] for key in KEYS}


def by_key(lines):
    sorted_in = defaultdict(list)
    for line in lines:
        sorted_in[line.split()[0]].append(line)
    return dict(sorted_in)


def without_repeats(lines):
    """Every line where it came first."""
    return {key: list(dict.fromkeys(of_key)) for key, of_key in by_key(lines).items()}


def arrived(receiver, end):
    wait_until(lambda: len(set(receiver.lines())) == end * len(KEYS))
    return without_repeats(receiver.lines()) == wanted(end)


def until_beyond(receiver, number):
    """Wait until the receiver has the first record after that many of each key."""
    wait_until(lambda: len(set(receiver.lines())) > number * len(KEYS))


def delivered(loop):
    return loop.measures.values.snapshot().get((metrics.DELIVERED_RECORDS.name, ("alerts",)), 0)


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
        with killed_in_the_end(bootstrap_servers, application_id, receiver):
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
        lag = (metrics.CONSUMER_LAG.name, ("alerts", application_id))
        wait_until(lambda: _lag(loop, *lag) == 600)
    receiver.start()
    with start():
        assert arrived(receiver, 100)
    assert by_key(receiver.lines()) == wanted(100)


def _lag(loop, name, labels):
    snapshot = loop.measures.values.snapshot()
    return sum(value for (n, found), value in snapshot.items() if n == name and found[:2] == labels)


def test_a_receiver_that_does_not_read_stops_nobody_and_gets_everything_in_the_end(
    bootstrap_servers, application_id, start, receiver
):
    receiver.reading.clear()
    with start(limits=Limits(records=500)) as loop:
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
        assert first.status().connected
        assert second.status().connected
