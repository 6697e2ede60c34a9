"""TCP in, on a real Kafka: what a sender's frames become, and what happens to them when somebody dies."""

import contextlib
import select
import socket
import struct
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kafka.cluster import alter_topic, create_topic, read_topic, wait_until
from tests.kafka.word_count import WordCount, expected_counts, framed, lines_of
from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp.ingest import IngestLoop
from wallaroo.errors import CommitError, KafkaSetupError
from wallaroo.kafka.clients import WorkerIdentity
from wallaroo.observability import metrics
from wallaroo.settings import Settings
from wallaroo.topology.model import Ingest

PARTITIONS = 4


def read_length(header):
    return struct.unpack(">I", header)[0]


class Running:
    """A loop in a thread of this process; `finish` raises what it has raised."""

    def __init__(self, loop):
        self.loop = loop
        self._failure = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        wait_until(lambda: not loop.status().obstacle or self._failure)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.loop._tcp.port), timeout=10)

    def finish(self):
        self.loop.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def wait_failed(self):
        wait_until(lambda: self._failure)

    def _run(self):
        try:
            self.loop.run()
        except BaseException as error:
            self._failure = error


@pytest.fixture
def topic_config():
    return {}


@pytest.fixture
def start(bootstrap_servers, application_id, topic_config):
    """A function that starts a TCP source which writes into a topic of the test's name."""
    create_topic(bootstrap_servers, application_id, PARTITIONS, topic_config)
    started = []

    def started_with(**settings):
        ingest = Ingest(
            "votes-ingest", "Votes", application_id, "127.0.0.1", 0, 4, read_length, 100_000, 10, listens=True
        )
        settings = Settings(bootstrap_servers=bootstrap_servers, **settings)
        identity = WorkerIdentity(application_id, "test", 0)
        started.append(Running(IngestLoop(ingest, PARTITIONS, settings, identity, SystemClock())))
        return started[-1]

    yield started_with
    for running in started:
        with contextlib.suppress(CommitError, KafkaSetupError):
            running.finish()


@pytest.fixture
def running(start):
    return start()


def by_partition(bootstrap_servers, topic):
    found = defaultdict(list)
    for message in read_topic(bootstrap_servers, topic):
        found[message.partition()].append(message.value())
    return dict(found)


def test_a_connection_goes_to_one_partition_in_its_order_and_the_next_one_to_another(
    bootstrap_servers, application_id, running
):
    streams = [[b"%d %d" % (sender, number) for number in range(2_000)] for sender in range(3)]
    for stream in streams:
        with running.connect() as sender:
            sender.sendall(framed(*stream))
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(1) == b""
    running.finish()
    assert by_partition(bootstrap_servers, application_id) == dict(enumerate(streams))


def test_a_frame_without_a_payload_is_a_record_with_an_empty_value(
    bootstrap_servers, application_id, running
):
    with running.connect() as sender:
        sender.sendall(framed(b"", b"x", b""))
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(1) == b""
    running.finish()
    assert by_partition(bootstrap_servers, application_id) == {0: [b"", b"x", b""]}


def test_whatever_has_arrived_when_the_source_is_stopped_is_written(
    bootstrap_servers, application_id, running
):
    with running.connect() as sender:
        wait_until(lambda: running.loop.metrics.values.snapshot().get(connected()) == 1)
        sender.sendall(framed(*[b"%d" % number for number in range(20_000)]))
        running.finish()
    assert by_partition(bootstrap_servers, application_id) == {
        0: [b"%d" % number for number in range(20_000)]
    }


def connected():
    return metrics.SENDERS_CONNECTED.name, ("Votes",)


def test_what_it_does_is_measured(running):
    with running.connect() as sender:
        sender.sendall(framed(b"whole", b"half")[:-1])
    values = running.loop.metrics.values
    wait_until(lambda: values.snapshot().get((metrics.SENDERS_CUT_OFF.name, ("Votes",))) == 1)
    assert values.snapshot()[metrics.INGESTED_RECORDS.name, ("Votes",)] == 1


def test_while_kafka_is_away_senders_wait_and_nothing_is_lost(
    bootstrap_servers, application_id, start, kafka_broker
):
    running = start(producer={"queue.buffering.max.messages": "1000"})
    payloads = [b"%06d" % number + bytes(1_000) for number in range(20_000)]
    stream = framed(*payloads)
    with running.connect() as sender:
        sender.setblocking(False)
        kafka_broker.stop()
        sent = send_until_stuck(sender, stream)
        assert sent < len(stream)
        kafka_broker.start()
        sender.setblocking(True)
        sender.sendall(stream[sent:])
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(1) == b""
    running.finish()
    assert by_partition(bootstrap_servers, application_id) == {0: payloads}


def send_until_stuck(sender, stream):
    """Send until nobody has taken anything for a second; returns how many bytes were taken."""
    sent = 0
    while sent < len(stream) and select.select([], [sender], [], 1)[1]:
        sent += sender.send(stream[sent : sent + 100_000])
    return sent


@pytest.mark.parametrize("topic_config", [{"max.message.bytes": "1000"}])
def test_a_source_whose_topic_takes_less_than_the_source_does_is_refused_at_the_start(running):
    running.wait_failed()
    with pytest.raises(KafkaSetupError, match=r"payloads of up to .* max\.message\.bytes=1000"):
        running.finish()


def test_what_kafka_refuses_for_good_ends_the_loop_by_the_name_of_the_source(
    running, rng, bootstrap_servers, application_id
):
    alter_topic(bootstrap_servers, application_id, {"max.message.bytes": "1000"})
    incompressible = rng.randbytes(50_000)
    with running.connect() as sender:
        sender.sendall(framed(incompressible))
        running.wait_failed()
    with pytest.raises(CommitError, match=r"what the source 'Votes' writes to .*max\.message\.bytes"):
        running.finish()


@pytest.fixture
def word_count(bootstrap_servers, application_id, tmp_path, receiver):
    made = WordCount(bootstrap_servers, application_id, tmp_path, receiver)
    yield made
    made.dispose()


def assert_counted(word_count, lines):
    """Each word has been counted up without a gap; a count may come twice, as TCP has it."""
    expected = expected_counts(lines)
    wait_until(lambda: {w: sorted(set(c)) for w, c in word_count.counts().items()} == expected, 60)


def test_words_of_many_senders_are_counted_by_several_workers(word_count):
    word_count.start("--workers=2")
    streams = [lines_of(f"sender{number}", 300) for number in range(6)]
    threads = [threading.Thread(target=word_count.send, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_counted(word_count, [line for stream in streams for line in stream])
    assert all(counts == sorted(counts) for counts in word_count.counts().values())


def test_a_sender_that_resends_what_a_killed_worker_took_with_it_is_counted_exactly_once(word_count, rng):
    service = word_count.start()
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(word_count.send_until_broken, "alice")
        wait_until(lambda: word_count.arriving() > 1_000)
        service.kill_worker(rng)
        sent = sending.result(30)
    wait_until(lambda: "worker restarted" in service.words())
    service.wait_ready()
    arrived = word_count.in_kafka("alice")
    assert 1_000 < arrived <= sent
    lines = lines_of("alice", sent)
    assert word_count.send(lines[arrived:])
    assert_counted(word_count, lines)


def test_a_port_that_is_taken_ends_the_service_with_a_message(word_count):
    with socket.create_server(("127.0.0.1", word_count.port)):
        service = word_count.launch()
        assert service.wait() == 2
    assert f"source 'lines' cannot listen on 127.0.0.1:{word_count.port}" in service.words()
