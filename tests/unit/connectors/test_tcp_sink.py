"""The TCP sink on real sockets: the receiver is down, slow, gone, back, and nothing is lost."""

import pytest

from tests.unit.connectors.receiver import Receiver, until
from wallaroo.connectors.tcp.sink import Limits, TcpSender

RECORDS = [b"record %d\n" % number for number in range(100)]
EVERYTHING = b"".join(RECORDS)


@pytest.fixture
def sender(receiver, clock):
    """Connected to a listening receiver that has accepted."""
    made = TcpSender("127.0.0.1", receiver.port, clock.monotonic)
    receiver.listen()
    connect(made, receiver)
    yield made
    made.close(0)


def connect(sender, receiver):
    until(lambda: sender.pump(0.01) == [] and receiver.accept())
    until(lambda: sender.pump(0.01) == [] and sender.connected)


def push(sender, records):
    for number, record in enumerate(records):
        sender.push(record, number)


def pump_until_lost(sender):
    until(lambda: sender.pump(0.01) == [] and not sender.connected)


def pump_until_read(sender, receiver, wanted):
    until(lambda: sender.pump(0.001) == [] and receiver.read() == wanted)


def test_records_arrive_byte_for_byte_and_in_order(sender, receiver):
    push(sender, RECORDS)
    pump_until_read(sender, receiver, EVERYTHING)


def test_records_are_on_the_wire_after_one_pump_that_waits_for_nothing(sender, receiver):
    push(sender, RECORDS)
    sender.pump()
    assert receiver.read() == EVERYTHING


def test_a_receiver_that_is_down_at_first_gets_everything_when_it_comes(receiver, clock):
    sender = TcpSender("127.0.0.1", receiver.port, clock.monotonic)
    push(sender, RECORDS)
    assert sender.pump(0.01) == []
    assert (sender.connected, sender.unconfirmed) == (False, 100)
    receiver.listen()
    clock.advance(250)
    connect(sender, receiver)
    pump_until_read(sender, receiver, EVERYTHING)
    sender.close(0)


def test_records_are_confirmed_when_the_connection_has_outlived_them_by_half_a_second(
    sender, receiver, clock
):
    push(sender, RECORDS)
    pump_until_read(sender, receiver, EVERYTHING)
    clock.advance(499)
    assert sender.pump() == []
    clock.advance(1)
    assert sender.pump() == list(range(100))
    assert sender.unconfirmed == 0


def test_a_connection_that_breaks_before_that_confirms_nothing_and_everything_is_sent_again(
    sender, receiver, clock
):
    push(sender, RECORDS)
    pump_until_read(sender, receiver, EVERYTHING)
    receiver.close_connection()
    clock.advance(1_000)
    assert sender.pump() == []
    clock.advance(250)
    connect(sender, receiver)
    pump_until_read(sender, receiver, EVERYTHING)


def test_what_was_confirmed_before_a_break_is_not_sent_again(sender, receiver, clock):
    sender.push(b"old", "old")
    pump_until_read(sender, receiver, b"old")
    clock.advance(500)
    assert sender.pump() == ["old"]
    sender.push(b"new", "new")
    receiver.reset()
    pump_until_lost(sender)
    clock.advance(250)
    connect(sender, receiver)
    pump_until_read(sender, receiver, b"new")


@pytest.mark.parametrize("end", [Receiver.close_connection, Receiver.reset])
@pytest.mark.parametrize("read_bytes", [1, 13, 20])
def test_after_a_break_amid_a_record_the_next_connection_begins_with_a_whole_one(
    sender, receiver, clock, end, read_bytes
):
    push(sender, RECORDS)
    until(lambda: sender.pump(0.001) == [] and receiver.read(read_bytes))
    end(receiver)
    pump_until_lost(sender)
    clock.advance(250)
    connect(sender, receiver)
    pump_until_read(sender, receiver, EVERYTHING)


def test_a_slow_reader_gets_everything_and_blocks_only_itself(sender, receiver):
    records = [b"%07d" % number * 1_000 for number in range(2_000)]
    push(sender, records)
    sender.pump()
    assert sender.blocked
    pump_until_read(sender, receiver, b"".join(records))
    assert not sender.blocked


def test_what_only_our_own_kernel_has_is_not_confirmed_however_long_it_takes(receiver, clock):
    sender = TcpSender("127.0.0.1", receiver.port, clock.monotonic)
    receiver.take_little()
    receiver.listen()
    connect(sender, receiver)
    push(sender, [b"first", b"." * 20_000, b"last"])
    until(lambda: sender.pump() == [] and len(receiver.read(5)) == 5)
    assert not sender.blocked
    clock.advance(3_600_000)
    assert sender.pump() == [0]
    pump_until_read(sender, receiver, b"first" + b"." * 20_000 + b"last")
    assert sender.pump() == []
    clock.advance(500)
    assert sender.pump() == [1, 2]
    sender.close(0)


def test_a_slow_reader_that_goes_away_is_sent_all_it_had_not_read(sender, receiver, clock):
    records = [b"%07d" % number * 1_000 for number in range(2_000)]
    push(sender, records)
    until(lambda: sender.pump() == [] and receiver.read(10_001))
    receiver.close_connection()
    pump_until_lost(sender)
    clock.advance(250)
    connect(sender, receiver)
    pump_until_read(sender, receiver, b"".join(records))


def test_a_receiver_that_comes_back_on_its_port_is_found_again(sender, receiver, clock):
    push(sender, RECORDS)
    pump_until_read(sender, receiver, EVERYTHING)
    receiver.close()
    pump_until_lost(sender)
    clock.advance(250)
    assert sender.pump(0.01) == []
    assert not sender.connected
    again = Receiver(receiver.port)
    again.listen()
    clock.advance(2_000)
    connect(sender, again)
    pump_until_read(sender, again, EVERYTHING)
    assert sender.connections == 2
    again.close()


def test_the_end_of_an_idle_connection_is_noticed(sender, receiver):
    receiver.close_connection()
    pump_until_lost(sender)


def test_what_the_receiver_says_is_thrown_away(sender, receiver):
    receiver.say(b"thank you" * 1_000)
    push(sender, RECORDS)
    pump_until_read(sender, receiver, EVERYTHING)
    assert sender.connected


def test_dropped_records_are_not_sent_and_the_others_are(sender, receiver, clock):
    push(sender, [b"mine", b"yours"])
    sender.drop(lambda token: token == 1)
    pump_until_read(sender, receiver, b"mine")
    clock.advance(500)
    assert sender.pump() == [0]


@pytest.mark.parametrize("limits", [Limits(records=4), Limits(size_bytes=40)])
def test_the_buffer_is_full_at_its_limit_and_roomy_again_below_its_half(receiver, clock, limits):
    sender = TcpSender("127.0.0.1", receiver.port, clock.monotonic, limits)
    states = []
    for number in range(4):
        sender.push(b"0123456789", number)
        states.append((sender.full, sender.roomy))
    assert states == [(False, True), (False, False), (False, False), (True, False)]
