"""The supervisor, as long as there is no Kafka to work with."""

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.kafka.cluster import wait_until
from wallaroo.clock import SystemClock
from wallaroo.service.protocol import Exit
from wallaroo.service.supervisor import Supervisor


class Cluster:
    """One that is away until `answer`."""

    def __init__(self):
        self.asked = 0
        self._there = threading.Event()

    def prepare(self):
        self.asked += 1
        if not self._there.is_set():
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return {"in": 4}

    def answer(self):
        self._there.set()


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def started():
    """The partitions with which workers have been started."""
    return []


@pytest.fixture
def supervisor(cluster, started):
    def start_workers(partitions):
        started.append(partitions)
        return []

    return Supervisor(cluster.prepare, start_workers, SystemClock(), "kafka:9092", retry_seconds=0.01)


@pytest.fixture
def running(supervisor):
    """A function that waits for the supervisor's end, and gives its exit code."""
    ended = []
    thread = threading.Thread(target=lambda: ended.append(supervisor.run()), daemon=True)
    thread.start()

    def stop():
        supervisor.stop()
        thread.join(20)
        return ended[0]

    yield stop
    stop()


def test_before_the_first_answer_the_cluster_and_its_setting_are_named(supervisor):
    report = supervisor.readiness()
    assert not report.ok
    assert "kafka:9092" in report.reasons[0]
    assert "bootstrap_servers" in report.reasons[0]


def test_a_cluster_that_cannot_be_reached_is_named_with_its_setting(supervisor, cluster, running):
    wait_until(lambda: cluster.asked > 1)
    report = supervisor.readiness()
    assert "Kafka cannot be reached at kafka:9092: " in report.reasons[0]
    assert "see bootstrap_servers" in report.reasons[0]
    assert supervisor.health().ok
    assert running() is Exit.CLEAN


def test_a_cluster_that_comes_late_is_waited_for(cluster, started, running):
    wait_until(lambda: cluster.asked > 1)
    cluster.answer()
    assert wait_until(lambda: started) == [{"in": 4}]
    assert running() is Exit.CLEAN
