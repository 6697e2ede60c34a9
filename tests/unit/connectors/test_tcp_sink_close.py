"""How a sink parts from its receiver: all is confirmed that can be known to have been read."""

import threading
from contextlib import contextmanager

import pytest

from tests.unit.connectors.receiver import until
from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp.sink import TcpSink
from wallaroo.topology.model import TcpReceiver


@contextmanager
def meanwhile(work):
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


@pytest.fixture
def connected(receiver):
    """A function that makes a sink, connected to a receiver that has accepted."""
    receiver.listen()

    def make(confirm_seconds):
        monotonic = SystemClock().monotonic
        sink = TcpSink(TcpReceiver("127.0.0.1", receiver.port), monotonic, confirm_seconds=confirm_seconds)
        until(lambda: sink.pump(0.01) == [] and receiver.accept())
        return sink

    return make


def test_a_receiver_that_closes_when_we_do_confirms_everything_at_once(receiver, connected):
    sink = connected(confirm_seconds=60)
    for number in range(10):
        sink.queue.push(b"%d" % number * 100_000, number)
    with meanwhile(receiver.read_to_the_end_and_close):
        assert sink.close(5) == list(range(10))
    assert len(receiver.received) == 1_000_000
    assert not sink.connected


def test_a_receiver_that_never_closes_is_given_the_usual_hold(receiver, connected):
    sink = connected(confirm_seconds=0.02)
    sink.queue.push(b"one", 1)
    assert sink.close(5) == [1]


def test_a_receiver_that_closes_without_having_read_confirms_nothing(receiver, connected):
    sink = connected(confirm_seconds=60)
    sink.queue.push(b"one", 1)
    until(lambda: sink.pump() == [] and len(sink.queue) == 1 and not sink.blocked)
    receiver.close_connection()
    assert sink.close(5) == []


def test_nothing_is_waited_for_without_a_connection(receiver, clock):
    sink = TcpSink(TcpReceiver("127.0.0.1", receiver.port), clock.monotonic)
    sink.queue.push(b"one", 1)
    assert sink.flush(60) == []
    assert sink.close(60) == []


def test_a_slow_receiver_is_waited_for_no_longer_than_allowed(receiver, connected):
    sink = connected(confirm_seconds=60)
    sink.queue.push(b"." * 50_000_000, 1)
    assert sink.close(0.02) == []


def test_a_flush_returns_what_is_confirmed_and_leaves_the_connection_open(receiver, connected):
    sink = connected(confirm_seconds=0.02)
    sink.queue.push(b"one", 1)
    assert sink.flush(5) == [1]
    assert sink.connected
    sink.close(1)


def test_a_receiver_that_does_not_close_in_time_has_confirmed_nothing(receiver, connected):
    sink = connected(confirm_seconds=60)
    sink.queue.push(b"one", 1)
    assert sink.close(0.05) == []


def test_what_a_close_leaves_unconfirmed_is_sent_by_the_next_connection(receiver, connected):
    sink = connected(confirm_seconds=0.5)
    sink.queue.push(b"one", 1)
    until(lambda: sink.pump() == [] and receiver.read() == b"one")
    assert sink.close(0) == []
    until(lambda: sink.pump(0.01) == [] and receiver.accept())
    until(lambda: sink.pump() == [] and receiver.read() == b"one")
    assert sink.flush(5) == [1]
    sink.close(1)
