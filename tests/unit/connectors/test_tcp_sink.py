"""The TCP sink on real sockets: the receiver is down, slow, gone, back, and nothing is lost."""

from dataclasses import replace

import pytest

from tests.unit.connectors.receiver import Receiver, until
from wallaroo.connectors.tcp.sink import CAPACITY, TcpSink
from wallaroo.topology.model import TcpReceiver

RECORDS = [b"record %d\n" % number for number in range(100)]
EVERYTHING = b"".join(RECORDS)


@pytest.fixture
def sink(receiver, clock):
    """Connected to a listening receiver that has accepted."""
    made = TcpSink(TcpReceiver("127.0.0.1", receiver.port), clock.monotonic)
    receiver.listen()
    connect(made, receiver)
    yield made
    made.close(0)


def connect(sink, receiver):
    until(lambda: sink.pump(0.01) == [] and receiver.accept())
    until(lambda: sink.pump(0.01) == [] and sink.connected)


def push(sink, records):
    for number, record in enumerate(records):
        sink.queue.push(record, number)


def pump_until_lost(sink):
    until(lambda: sink.pump(0.01) == [] and not sink.connected)


def pump_until_read(sink, receiver, wanted):
    until(lambda: sink.pump(0.001) == [] and receiver.read() == wanted)


def test_records_arrive_byte_for_byte_and_in_order(sink, receiver):
    push(sink, RECORDS)
    pump_until_read(sink, receiver, EVERYTHING)


def test_records_are_on_the_wire_after_one_pump_that_waits_for_nothing(sink, receiver):
    push(sink, RECORDS)
    sink.pump()
    assert receiver.read() == EVERYTHING


def test_a_receiver_that_is_down_at_first_gets_everything_when_it_comes(receiver, clock):
    sink = TcpSink(TcpReceiver("127.0.0.1", receiver.port), clock.monotonic)
    push(sink, RECORDS)
    assert sink.pump(0.01) == []
    assert (sink.connected, len(sink.queue)) == (False, 100)
    receiver.listen()
    clock.advance(250)
    connect(sink, receiver)
    pump_until_read(sink, receiver, EVERYTHING)
    sink.close(0)


def test_records_are_confirmed_when_the_connection_has_outlived_them_by_half_a_second(sink, receiver, clock):
    push(sink, RECORDS)
    pump_until_read(sink, receiver, EVERYTHING)
    clock.advance(499)
    assert sink.pump() == []
    clock.advance(1)
    assert sink.pump() == list(range(100))
    assert len(sink.queue) == 0


def test_a_connection_that_breaks_before_that_confirms_nothing_and_everything_is_sent_again(
    sink, receiver, clock
):
    push(sink, RECORDS)
    pump_until_read(sink, receiver, EVERYTHING)
    receiver.close_connection()
    clock.advance(1_000)
    assert sink.pump() == []
    clock.advance(250)
    connect(sink, receiver)
    pump_until_read(sink, receiver, EVERYTHING)


def test_what_was_confirmed_before_a_break_is_not_sent_again(sink, receiver, clock):
    sink.queue.push(b"old", "old")
    pump_until_read(sink, receiver, b"old")
    clock.advance(500)
    assert sink.pump() == ["old"]
    sink.queue.push(b"new", "new")
    receiver.reset()
    pump_until_lost(sink)
    clock.advance(250)
    connect(sink, receiver)
    pump_until_read(sink, receiver, b"new")


@pytest.mark.parametrize("end", [Receiver.close_connection, Receiver.reset])
@pytest.mark.parametrize("read_bytes", [1, 13, 20])
def test_after_a_break_amid_a_record_the_next_connection_begins_with_a_whole_one(
    sink, receiver, clock, end, read_bytes
):
    push(sink, RECORDS)
    until(lambda: sink.pump(0.001) == [] and receiver.read(read_bytes))
    end(receiver)
    pump_until_lost(sink)
    clock.advance(250)
    connect(sink, receiver)
    pump_until_read(sink, receiver, EVERYTHING)


def test_a_slow_reader_gets_everything_and_blocks_only_itself(sink, receiver):
    records = [b"%07d" % number * 1_000 for number in range(2_000)]
    push(sink, records)
    sink.pump()
    assert sink.blocked
    pump_until_read(sink, receiver, b"".join(records))
    assert not sink.blocked


def test_what_only_our_own_kernel_has_is_not_confirmed_however_long_it_takes(receiver, clock):
    sink = TcpSink(TcpReceiver("127.0.0.1", receiver.port), clock.monotonic)
    receiver.take_little()
    receiver.listen()
    connect(sink, receiver)
    push(sink, [b"first", b"." * 20_000, b"last"])
    until(lambda: sink.pump() == [] and len(receiver.read(5)) == 5)
    assert not sink.blocked
    clock.advance(3_600_000)
    assert sink.pump() == [0]
    pump_until_read(sink, receiver, b"first" + b"." * 20_000 + b"last")
    assert sink.pump() == []
    clock.advance(500)
    assert sink.pump() == [1, 2]
    sink.close(0)


def test_a_slow_reader_that_goes_away_is_sent_all_it_had_not_read(sink, receiver, clock):
    records = [b"%07d" % number * 1_000 for number in range(2_000)]
    push(sink, records)
    until(lambda: sink.pump() == [] and receiver.read(10_001))
    receiver.close_connection()
    pump_until_lost(sink)
    clock.advance(250)
    connect(sink, receiver)
    pump_until_read(sink, receiver, b"".join(records))


def test_a_receiver_that_comes_back_on_its_port_is_found_again(sink, receiver, clock):
    push(sink, RECORDS)
    pump_until_read(sink, receiver, EVERYTHING)
    receiver.close()
    pump_until_lost(sink)
    clock.advance(250)
    assert sink.pump(0.01) == []
    assert not sink.connected
    again = Receiver(receiver.port)
    again.listen()
    clock.advance(2_000)
    connect(sink, again)
    pump_until_read(sink, again, EVERYTHING)
    assert sink.connections == 2
    again.close()


def test_the_end_of_an_idle_connection_is_noticed(sink, receiver):
    receiver.close_connection()
    pump_until_lost(sink)


def test_what_the_receiver_says_is_thrown_away(sink, receiver):
    receiver.say(b"thank you" * 1_000)
    push(sink, RECORDS)
    pump_until_read(sink, receiver, EVERYTHING)
    assert sink.connected


def test_dropped_records_are_not_sent_and_the_others_are(sink, receiver, clock):
    push(sink, [b"mine", b"yours"])
    sink.drop(lambda token: token == 1)
    pump_until_read(sink, receiver, b"mine")
    clock.advance(500)
    assert sink.pump() == [0]


@pytest.mark.parametrize("limits", [{"records": 4}, {"size_bytes": 40}])
def test_the_buffer_is_full_at_its_limit_and_roomy_again_below_its_half(receiver, clock, limits):
    sink = TcpSink(TcpReceiver("127.0.0.1", receiver.port), clock.monotonic, replace(CAPACITY, **limits))
    states = []
    for number in range(4):
        sink.queue.push(b"0123456789", number)
        states.append((sink.queue.is_full, sink.queue.has_room))
    assert states == [(False, True), (False, False), (False, False), (True, False)]
