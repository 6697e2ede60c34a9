"""The TCP source on real sockets: many senders, slow, greedy, broken, and none of them in another's way."""

import contextlib
import errno
import logging
import socket
import struct
from collections import defaultdict
from dataclasses import replace

import pytest

from tests.unit.connectors.receiver import until
from wallaroo.connectors.tcp import sockets
from wallaroo.connectors.tcp.source import TcpSource
from wallaroo.errors import SettingsError
from wallaroo.topology.model import Ingest

MAX_SIZE = 50_000
CONNECTIONS = 3
IDLE_SECONDS = 2.5
VOTES = Ingest(
    "ingest",
    "Votes",
    "votes",
    "127.0.0.1",
    0,
    header_length=4,
    payload_length=lambda header: struct.unpack(">I", header)[0],
    max_size=MAX_SIZE,
    connections=CONNECTIONS,
    listens=True,
)


@pytest.fixture
def received():
    """What has been received, by connection."""
    return defaultdict(list)


@pytest.fixture
def source(clock):
    made = TcpSource(VOTES, clock.monotonic, IDLE_SECONDS)
    made.open()
    yield made
    made.close()


@pytest.fixture
def connect(source):
    """A function that connects a sender, whether it is accepted or not."""
    senders = []

    def new_sender():
        senders.append(socket.create_connection(("127.0.0.1", source.port)))
        return senders[-1]

    yield new_sender
    for sender in senders:
        sender.close()


def framed(*payloads):
    return b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads)


def collect(received, some):
    for connection, payloads in some:
        received[connection] += payloads


def receive(source, received):
    collect(received, source.poll(0.01))


def receive_until(source, received, condition):
    until(lambda: receive(source, received) or condition())


def total(received):
    return sum(map(len, received.values()))


def bytes_taken(sender, frame):
    """How much of a frame, again and again, the kernel takes while nobody reads."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sender.send(frame[sent % len(frame) :])
    return sent


def abort(sender):
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sender.close()


def test_what_a_sender_writes_is_received_in_its_order(source, connect, received):
    payloads = [b"%d" % number for number in range(10_000)]
    connect().sendall(framed(*payloads))
    receive_until(source, received, lambda: total(received) == 10_000)
    assert received == {0: payloads}


def test_senders_do_not_mix(source, connect, received):
    senders = [connect() for _ in range(CONNECTIONS)]
    for number in range(100):
        for sender, name in zip(senders, b"abc", strict=True):
            sender.sendall(framed(b"%c%d" % (name, number)))
    receive_until(source, received, lambda: total(received) == 300)
    streams = [[b"%c%d" % (name, number) for number in range(100)] for name in b"abc"]
    assert sorted(received.values()) == streams


def test_half_a_frame_holds_up_nobody_else(source, connect, received):
    slow, quick = connect(), connect()
    slow.sendall(framed(b"slow")[:6])
    quick.sendall(framed(b"quick"))
    receive_until(source, received, lambda: total(received) == 1)
    slow.sendall(framed(b"slow")[6:])
    receive_until(source, received, lambda: total(received) == 2)
    assert sorted(received.values()) == [[b"quick"], [b"slow"]]


def test_a_sender_may_leave_after_its_last_frame(source, connect, received, caplog):
    with connect() as sender:
        sender.sendall(framed(b"one", b""))
    receive_until(source, received, lambda: total(received) == 2 and source.connections == 0)
    assert received == {0: [b"one", b""]}
    assert source.broken == 0
    assert caplog.records == []


def test_a_sender_that_dies_inside_a_frame_loses_that_frame_only(source, connect, received, caplog):
    with connect() as sender:
        sender.sendall(framed(b"whole", b"half")[:-2])
    receive_until(source, received, lambda: source.broken == 1)
    assert received == {0: [b"whole"]}
    (line,) = caplog.records
    assert (line.message, line.levelno) == ("sender disconnected", logging.WARNING)
    assert (line.source, line.dropped_bytes) == ("Votes", 6)
    assert line.reason == "it closed the connection in the middle of a frame"


def test_a_sender_that_is_cut_off_hard_does_no_harm(source, connect, received):
    rude, other = connect(), connect()
    rude.sendall(framed(b"rude")[:5])
    receive_until(source, received, lambda: source.connections == 2)
    abort(rude)
    receive_until(source, received, lambda: source.connections == 1)
    other.sendall(framed(b"other"))
    receive_until(source, received, lambda: total(received) == 1)
    assert source.broken == 1


def test_a_frame_beyond_the_limit_ends_its_connection_behind_the_frames_before_it(
    source, connect, received, caplog
):
    greedy, other = connect(), connect()
    greedy.sendall(framed(b"small") + struct.pack(">I", MAX_SIZE + 1))
    receive_until(source, received, lambda: source.broken == 1)
    assert list(received.values()) == [[b"small"]]
    assert greedy.recv(1) == b""
    assert "announces 50001 bytes, of at most 50000" in caplog.records[0].reason
    other.sendall(framed(b"x" * MAX_SIZE))
    receive_until(source, received, lambda: total(received) == 2)


def test_beyond_the_limit_of_connections_a_sender_waits_and_gets_its_turn(source, connect, received):
    first, *_ = [connect() for _ in range(CONNECTIONS)]
    receive_until(source, received, lambda: source.connections == CONNECTIONS)
    waiting = connect()
    waiting.sendall(framed(b"patience"))
    for _ in range(5):
        receive(source, received)
    assert (source.connections, total(received)) == (CONNECTIONS, 0)
    first.close()
    receive_until(source, received, lambda: total(received) == 1)
    assert source.connections == CONNECTIONS
    assert received[CONNECTIONS] == [b"patience"]


@pytest.fixture
def full(source, connect, received):
    """As many senders as the source takes."""
    senders = [connect() for _ in range(CONNECTIONS)]
    receive_until(source, received, lambda: source.connections == CONNECTIONS)
    return senders


@pytest.fixture
def pass_seconds(source, received, clock):
    """A function that lets seconds pass while the source is read."""

    def advance_and_receive(seconds):
        for _ in range(seconds):
            clock.advance(1000)
            receive(source, received)

    return advance_and_receive


def test_senders_that_send_nothing_make_room_for_one_that_waits(
    source, connect, received, full, pass_seconds, caplog
):
    connect().sendall(framed(b"honest"))
    pass_seconds(2)
    assert (source.connections, total(received)) == (CONNECTIONS, 0)
    pass_seconds(2)
    receive_until(source, received, lambda: total(received) == 1)
    assert (source.connections, source.broken) == (CONNECTIONS, 1)
    waiting, cut = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (waiting.message, waiting.source, waiting.connections) == ("senders wait", "Votes", CONNECTIONS)
    assert cut.reason == "no whole frame for 3 s, while another sender waits"


def test_bytes_that_never_make_a_frame_keep_no_connection(source, connect, received, full, pass_seconds):
    trickling, *others = full
    connect().sendall(framed(b"honest"))
    for sender in others:
        sender.sendall(framed(b"vote"))
    pass_seconds(2)
    trickling.sendall(b"\0")
    for sender in others:
        sender.sendall(framed(b"vote"))
    pass_seconds(2)
    receive_until(
        source, received, lambda: b"honest" in [each for some in received.values() for each in some]
    )
    assert trickling.recv(1) == b""
    assert total(received) == 5


def test_while_nobody_waits_a_sender_may_be_silent_for_ever(source, received, full, pass_seconds, caplog):
    pass_seconds(60)
    full[0].sendall(framed(b"late"))
    receive_until(source, received, lambda: total(received) == 1)
    assert (source.connections, source.broken) == (CONNECTIONS, 0)
    assert caplog.records == []


def test_time_in_which_nobody_reads_is_no_silence(source, connect, received, full, clock):
    waiting = connect()
    clock.advance(3_600_000)
    receive(source, received)
    assert (source.connections, source.broken) == (CONNECTIONS, 0)
    waiting.close()


def test_who_is_not_read_has_to_wait_and_loses_nothing(source, connect, received):
    sender = connect()
    sender.setblocking(False)
    receive_until(source, received, lambda: source.connections == 1)
    frame = framed(b"x" * 10_000)
    whole = bytes_taken(sender, frame) // len(frame)
    receive_until(source, received, lambda: total(received) == whole)
    assert set(received[0]) == {b"x" * 10_000}


def test_what_has_arrived_before_the_end_is_received_before_it(source, connect, received):
    sender, late = connect(), connect()
    receive_until(source, received, lambda: source.connections == 2)
    sender.sendall(framed(*[b"%d" % number for number in range(10_000)]))
    late.sendall(framed(b"late")[:5])
    source.close_port()
    collect(received, source.drain())
    assert received[0][-1] == b"9999"
    assert (source.connections, source.listening) == (0, False)
    assert sender.recv(1) == b""


def test_without_a_descriptor_left_a_sender_is_accepted_a_moment_later(
    source, connect, received, clock, monkeypatch, caplog
):
    def refuse(_listener):
        raise OSError(errno.EMFILE, "Too many open files")

    connect().sendall(framed(b"patience"))
    with monkeypatch.context() as patch:
        patch.setattr("wallaroo.connectors.tcp.source.accept", refuse)
        receive_until(source, received, lambda: caplog.records)
    for _ in range(3):
        receive(source, received)
    assert [line.message for line in caplog.records] == ["sender not accepted"]
    assert total(received) == 0
    clock.advance(1000)
    receive_until(source, received, lambda: total(received) == 1)


def test_workers_share_a_port(source, clock):
    second = TcpSource(replace(VOTES, port=source.port, connections=1), clock.monotonic, IDLE_SECONDS)
    second.open()
    assert second.port == source.port
    second.close()


def test_a_port_that_somebody_else_has_is_refused_by_the_name_of_the_source():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            SettingsError, match=f"source 'Votes' cannot listen on 127.0.0.1:{port}: .*in use"
        ):
            sockets.listen("Votes", "127.0.0.1", port)
        with pytest.raises(SettingsError, match="give the source another port"):
            sockets.is_free("Votes", "127.0.0.1", port)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(
        SettingsError, match=r"source 'Votes' cannot listen on 192\.0\.2\.1:7010: .*of this machine"
    ):
        sockets.listen("Votes", "192.0.2.1", 7010)


def test_a_host_that_there_is_not_is_refused():
    with pytest.raises(SettingsError, match=r"source 'Votes' cannot listen on no-such-host\.invalid:7010"):
        sockets.listen("Votes", "no-such-host.invalid", 7010)


def test_a_port_shared_with_another_process_of_ours_is_told_from_a_free_one(source):
    port = source.port
    assert not sockets.is_free("Votes", "127.0.0.1", port)
    source.close_port()
    assert sockets.is_free("Votes", "127.0.0.1", port)


def test_localhost_is_every_address_it_stands_for():
    (first, *others) = sockets.listen("Votes", "localhost", 0)
    assert others == []
    port = first.getsockname()[1]
    first.close()
    listening = sockets.listen("Votes", "localhost", port)
    with socket.create_connection(("127.0.0.1", port)):
        pass
    for sock in listening:
        sock.close()
