"""A generator on a real Kafka: whoever dies, and whenever, no value is repeated and none is skipped."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import create_topic, produce, read_topic, wait_until
from tests.kafka.service import COMMAND, ServiceProcess
from tests.kafka.tail import Tail
from wallaroo.connectors.generator.backlog import Backlog

FAULTY = (sys.executable, "-m", "tests.kafka.faulty_service")
POINTS = ("before_begin", "after_produce", "after_commit")


class Counter:
    """The counting application on topics of its own, and what has come out of it."""

    def __init__(self, servers, application_id, folder):
        self.out_topic = f"{application_id}-out"
        create_topic(servers, self.out_topic, 1)
        self.servers = servers
        self.application_id = application_id
        self.services = []
        self._options = [f"--bootstrap-servers={servers}", f"--application-id={application_id}"]
        self._folder = folder
        self._tail = Tail(servers, self.out_topic)

    def launch(self, *options, environment=None, command=COMMAND):
        arguments = ["tests.kafka.counting", *self._options, f"--out-topic={self.out_topic}", *options]
        log = self._folder / f"service-{len(self.services)}.log"
        self.services.append(ServiceProcess(arguments, log, environment, command))
        return self.services[-1]

    def numbers(self):
        return [int(message.value()) for message in self._tail.read()]

    def has(self, count):
        return lambda: len(self.numbers()) >= count

    def dispose(self):
        self._tail.close()
        for service in self.services:
            service.kill_all()
            print(f"--- {service.log.name} ---\n{service.log.read_text(errors='replace')}")


@pytest.fixture
def counter(bootstrap_servers, application_id, tmp_path) -> Iterator[Counter]:
    made = Counter(bootstrap_servers, application_id, tmp_path)
    yield made
    made.dispose()


def doubled(end):
    return [2 * number for number in range(end)]


def finish(counter, end):
    wait_until(counter.has(end), 60)
    for service in counter.services:
        if service.running:
            assert service.stop() == 0
    assert counter.numbers() == doubled(end)


def test_values_come_in_order_and_a_generator_that_has_ended_stays_so(counter):
    service = counter.launch("--end=5000").wait_ready()
    wait_until(counter.has(5_000))
    assert service.stop() == 0
    service.start()
    service.wait_ready()
    wait_until(lambda: "ended=true" in service.words())
    finish(counter, 5_000)


def test_a_worker_killed_now_and_then_neither_repeats_nor_skips_a_value(counter, rng):
    service = counter.launch("--end=6000", "--pause-ms=1", "--workers=2").wait_ready()
    for beyond in (300, 1_500, 3_000, 4_500):
        wait_until(counter.has(beyond), 60)
        service.kill_worker(rng)
    finish(counter, 6_000)


@pytest.mark.slow
def test_a_worker_killed_at_every_point_of_a_transaction_neither_repeats_nor_skips_a_value(
    counter, rng, tmp_path
):
    faults = ",".join(f"{point}:{rng.randrange(2, 9)}" for point in POINTS)
    environment = {"FAULTS": faults, "FAULTS_FOLDER": str(tmp_path)}
    service = counter.launch("--end=3000", "--pause-ms=1", environment=environment, command=FAULTY)
    wait_until(lambda: service.words().count("worker died") == len(POINTS), 60)
    finish(counter, 3_000)


@pytest.mark.slow
def test_an_owner_that_was_asleep_is_fenced_when_it_wakes_up(counter):
    options = ("--end=12000", "--pause-ms=1", "--session-timeout-ms=6000")
    first = counter.launch(*options, "--instance=first").wait_ready()
    wait_until(counter.has(500))
    second = counter.launch(*options, "--instance=second").wait_ready()
    (pid,) = first.worker_pids()
    owner, other = (first, second)
    os.kill(pid, signal.SIGSTOP)
    seen = len(counter.numbers())
    try:
        wait_until(counter.has(seen + 2_000), 60)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "generator begins" in other.words()
    assert owner.running
    finish(counter, 12_000)


def test_a_generator_waits_until_its_reader_has_caught_up(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id, 1)
    servers = {"bootstrap.servers": bootstrap_servers}
    reader = Consumer({**servers, "group.id": "reader", "enable.auto.commit": False})
    backlog = Backlog(AdminClient(servers), reader, application_id, 100)
    assert not backlog.has_room
    assert backlog.refresh()
    produce(bootstrap_servers, application_id, [(None, b"x")] * 100)
    backlog.written(100)
    assert not backlog.has_room
    assert not backlog.refresh()
    commit(bootstrap_servers, "reader", TopicPartition(application_id, 0, 60))
    assert backlog.refresh()
    backlog.written(59)
    assert backlog.has_room
    backlog.written(1)
    assert not backlog.has_room


def test_a_generator_whose_position_was_deleted_does_not_begin_anew_in_silence(counter, application_id):
    service = counter.launch("--end=1000").wait_ready()
    wait_until(counter.has(1_000))
    assert service.stop() == 0
    admin = AdminClient({"bootstrap.servers": counter.servers})
    (positions,) = [
        each
        for each in admin.list_topics().topics
        if each.startswith(application_id) and each.endswith("-generator")
    ]
    admin.delete_topics([positions])[positions].result(30)
    service.start()
    assert service.wait(60) == 2
    assert f"{positions} is empty" in service.words()
    produce(counter.servers, positions, [(b"generator", None)])
    service.start()
    wait_until(counter.has(2_000))


def commit(bootstrap_servers, group, offset):
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group})
    consumer.commit(offsets=[offset], asynchronous=False)
    consumer.close()


def test_a_value_that_its_topic_refuses_is_a_dead_letter_and_the_next_ones_come(counter, application_id):
    servers = counter.servers
    create_topic(servers, f"{application_id}-numbers-ingest", 1, {"max.message.bytes": "1500"})
    service = counter.launch("--end=100", "--huge=40").wait_ready()
    wait_until(counter.has(99))
    assert counter.numbers() == [number for number in doubled(100) if number != 80]
    [letter] = read_topic(servers, f"{application_id}-dlq")
    assert len(letter.value()) < 1_700
    assert "which takes 1500" in dict(letter.headers())["__streams.errors.message"].decode()
    assert service.stop() == 0
    assert "worker died" not in service.words()
