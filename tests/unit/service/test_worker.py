"""The worker: what it does about loops that do not end."""

import decimal
import threading
from multiprocessing import Pipe

import pytest
from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import SystemClock
from wallaroo.errors import CommitError, StopProcessing
from wallaroo.observability.answers import NoSuchKey
from wallaroo.service.protocol import Exit
from wallaroo.service.worker import Worker

HANGS_SECONDS = 2.0
LONG_SECONDS = 60.0
SHORT = 0.01


class Failing:
    name = "failing"

    def __init__(self, error=None):
        self._error = error or CommitError("a commit has not ended within 30 s")

    def run(self):
        raise self._error

    def stop(self):
        pass


class Dividing:
    """A loop whose user code divides."""

    name = "dividing"

    def run(self):
        self.result = decimal.Decimal(1) / 7
        raise CommitError("done")

    def stop(self):
        pass


class FailingWhenStopped:
    name = "failing when stopped"

    def __init__(self):
        self._stopped = threading.Event()

    def run(self):
        self._stopped.wait()
        raise CommitError("fenced")

    def stop(self):
        self._stopped.set()


class Hanging:
    """A loop that, told to stop, takes its time."""

    name = "hanging"

    def __init__(self, seconds=HANGS_SECONDS):
        self._seconds = seconds
        self._stopped, self._released = threading.Event(), threading.Event()
        self.ended = False

    def run(self):
        self._stopped.wait()
        self._released.wait(self._seconds)
        self.ended = True

    def stop(self):
        self._stopped.set()

    def release(self):
        self._released.set()


def worker_of(loops, **limits):
    return Worker(loops, lambda _request: NoSuchKey(), SystemClock(), **limits)


@pytest.fixture
def connection():
    ours, theirs = Pipe()
    with ours, theirs:
        yield theirs


@pytest.fixture
def stopped():
    event = threading.Event()
    event.set()
    return event


@pytest.fixture
def hanging():
    loop = Hanging()
    yield loop
    loop.release()


def test_a_loop_that_failed_does_not_make_the_worker_wait_long_for_one_that_hangs(connection, hanging):
    worker = worker_of([Failing(), hanging], stopped_seconds=LONG_SECONDS, failed_seconds=SHORT)
    assert worker.run(connection, threading.Event()) == Exit.CRASHED
    assert not hanging.ended


def test_a_worker_that_is_asked_to_stop_waits_for_a_loop_that_takes_its_time(connection, stopped):
    slow = Hanging(seconds=0.02)
    worker = worker_of([slow], stopped_seconds=LONG_SECONDS, failed_seconds=0)
    assert worker.run(connection, stopped) == Exit.CLEAN
    assert slow.ended


def test_a_worker_that_is_asked_to_stop_does_not_wait_for_ever(connection, stopped, hanging):
    worker = worker_of([hanging], stopped_seconds=SHORT, failed_seconds=LONG_SECONDS)
    assert worker.run(connection, stopped) == Exit.CRASHED
    assert not hanging.ended


def test_loops_that_fail_while_the_others_are_waited_for_end_the_waiting(connection, stopped, hanging):
    """As when Kafka is away: the commit of one loop fails, that of another one never returns."""
    worker = worker_of([hanging, Failing()], stopped_seconds=LONG_SECONDS, failed_seconds=SHORT)
    assert worker.run(connection, stopped) == Exit.CRASHED
    assert not hanging.ended


def test_many_loops_that_hang_are_waited_for_together(connection, stopped):
    loops = [Hanging() for _ in range(40)]
    worker = worker_of(loops, stopped_seconds=0.2, failed_seconds=SHORT)
    assert worker.run(connection, stopped) == Exit.CRASHED
    assert not any(loop.ended for loop in loops)
    for loop in loops:
        loop.release()


def test_the_first_failure_decides_how_the_worker_ends(connection):
    first, second = Failing(StopProcessing("a record failed")), FailingWhenStopped()
    worker = worker_of([first, second])
    assert worker.run(connection, threading.Event()) == Exit.STOPPED


def test_what_kafka_forbids_is_not_tried_again_and_no_stack_trace(connection, caplog):
    error = KafkaException(KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    worker = worker_of([Failing(error)])
    assert worker.run(connection, threading.Event()) == Exit.REFUSED
    [record] = caplog.records
    assert "processing_guarantee" in record.error
    assert record.exc_info is None


def test_a_loop_runs_in_the_context_in_which_the_application_was_imported():
    loop = Dividing()
    with decimal.localcontext(prec=2):
        worker_of([loop]).run(Pipe()[0], threading.Event())
    assert loop.result == decimal.Decimal("0.14")
