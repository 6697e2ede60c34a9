"""A TCP sink that speaks TLS, on real sockets: to whom it sends, and what is confirmed."""

import socket
import ssl
import threading
from contextlib import suppress

import pytest

import wallaroo
from tests.certificates import Authority
from tests.unit.connectors.receiver import until
from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp.sink import TcpSink
from wallaroo.errors import SettingsError
from wallaroo.topology.model import TcpReceiver

RECORDS = [b"record %d\n" % number for number in range(20_000)]
EVERYTHING = b"".join(RECORDS)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


class TlsReceiver:
    """Takes one connection after the other, in a thread, and reads each to its end."""

    def __init__(self, certificate, *, client_ca=None, farewell=True, reads=True):
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        if client_ca is not None:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(client_ca)
        self._farewell, self._reads = farewell, reads
        self._closing = threading.Event()
        self.received = b""
        self.peers = []
        self.errors = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._closing.set()
        # A listener that is only closed does not wake who waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self):
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                self._serve_one(plain)

    def _serve_one(self, plain):
        plain.settimeout(10)
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                self.peers.append(secure.getpeercert())
                if not self._reads:
                    self._closing.wait(30)
                while self._reads and (block := secure.recv(1_000_000)):
                    self.received += block
                if self._farewell and self._reads:
                    secure.unwrap()
        except OSError as error:
            self.errors.append(error)


@pytest.fixture
def receiving():
    made = []

    def start(*arguments, **more):
        made.append(TlsReceiver(*arguments, **more))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def sink_to():
    made = []

    def sink(port, tls, clock=None, host="127.0.0.1", **more):
        monotonic = (clock or SystemClock()).monotonic
        made.append(TcpSink(TcpReceiver(host, port, tls), monotonic, **more))
        return made[-1]

    yield sink
    for each in made:
        each.close(0)


def push(sink, records):
    for number, record in enumerate(records):
        sink.queue.push(record, number)


def pump_until(sink, condition):
    confirmed = []
    until(lambda: confirmed.extend(sink.pump(0.005)) or condition())
    return confirmed


def errors_of(caplog):
    return [record.error for record in caplog.records if record.levelname == "WARNING"]


def test_records_arrive_decrypted_and_in_order_and_all_are_confirmed(receiving, sink_to, authority):
    receiver = receiving(authority.sign("receiver"))
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca), confirm_seconds=0.05)
    push(sink, RECORDS)
    confirmed = pump_until(sink, lambda: not len(sink.queue))
    assert confirmed == list(range(len(RECORDS)))
    until(lambda: receiver.received == EVERYTHING)
    assert sink.connections == 1


def test_what_a_receiver_confirms_by_its_farewell_needs_no_hold(receiving, sink_to, authority):
    receiver = receiving(authority.sign("receiver"))
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca), confirm_seconds=60)
    push(sink, RECORDS)
    pump_until(sink, lambda: sink.connected)
    assert sink.close(10) == list(range(len(RECORDS)))
    assert receiver.received == EVERYTHING


def test_an_end_without_tls_farewell_confirms_nothing(receiving, sink_to, authority):
    receiver = receiving(authority.sign("receiver"), farewell=False)
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca), confirm_seconds=60)
    push(sink, RECORDS)
    pump_until(sink, lambda: sink.connected)
    assert sink.close(10) == []
    assert len(sink.queue) == len(RECORDS)


def test_what_the_kernel_has_acknowledged_is_counted_in_plain_bytes(receiving, sink_to, authority, clock):
    receiver = receiving(authority.sign("receiver"), reads=False)
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca), clock)
    push(sink, [b"x" * 10_000 for _ in range(3_000)])
    until(lambda: sink.pump(0.005) == [] and sink.blocked)
    clock.advance(10_000)
    # Far less than what TLS has sent, and nothing that is still in our kernel.
    assert len(sink.pump()) < 3_000


@pytest.mark.parametrize("as_host", ["127.0.0.1", "localhost"])
def test_the_certificate_is_to_be_for_the_host(receiving, sink_to, authority, as_host):
    receiver = receiving(authority.sign("receiver"))
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca), host=as_host)
    pump_until(sink, lambda: sink.connected)


def test_or_for_the_name_that_is_given(receiving, sink_to, authority):
    receiver = receiving(authority.sign("named", "subjectAltName=DNS:receiver.example.org"))
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca, server_name="receiver.example.org"))
    pump_until(sink, lambda: sink.connected)


@pytest.fixture(params=["another CA", "expired", "another name"])
def wrong(request, authority, tmp_path):
    """A certificate that is not good, and what is said of it."""
    made = {
        "another CA": lambda: (Authority(tmp_path).sign("receiver"), "its certificate is refused: "),
        "expired": lambda: (authority.sign("late", days=-1), "certificate has expired"),
        "another name": lambda: (
            authority.sign("named", "subjectAltName=DNS:receiver.example.org"),
            "IP address mismatch",
        ),
    }
    return made[request.param]()


def test_a_receiver_that_is_not_who_it_should_be_gets_nothing(wrong, receiving, sink_to, authority, caplog):
    certificate, reason = wrong
    receiver = receiving(certificate)
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca))
    push(sink, RECORDS)
    pump_until(sink, lambda: errors_of(caplog) and receiver.errors)
    assert reason in errors_of(caplog)[0]
    assert (receiver.received, sink.connected, sink.connections) == (b"", False, 0)
    pump_until(sink, lambda: len(receiver.errors) > 1)
    # It is tried again and again, and said once.
    assert len(errors_of(caplog)) == 1


def test_a_receiver_that_asks_who_we_are_is_shown_the_certificate(receiving, sink_to, authority):
    own = authority.sign("sink")
    receiver = receiving(authority.sign("receiver"), client_ca=authority.ca)
    tls = wallaroo.ClientTLS(authority.ca, certificate=own.certificate, key=own.key)
    sink = sink_to(receiver.port, tls, confirm_seconds=0.05)
    push(sink, [b"one"])
    pump_until(sink, lambda: not len(sink.queue))
    assert receiver.peers[0]["subject"] == ((("commonName", "sink"),),)


def test_without_one_it_takes_nothing_and_nothing_is_confirmed(receiving, sink_to, authority, caplog):
    receiver = receiving(authority.sign("receiver"), client_ca=authority.ca)
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca))
    push(sink, [b"one"])
    confirmed = pump_until(sink, lambda: errors_of(caplog))
    assert (confirmed, receiver.received, len(sink.queue)) == ([], b"", 1)
    assert "it asks for a certificate; give the sink's ClientTLS one" in errors_of(caplog)[0]


def test_a_receiver_that_never_answers_does_not_hold_the_sink_up(receiver, sink_to, authority, clock, caplog):
    receiver.listen()
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca), clock)
    push(sink, RECORDS)
    until(lambda: sink.pump(0.005) == [] and receiver.accept())
    clock.advance(5_000)
    until(lambda: sink.pump(0.005) == [] and errors_of(caplog))
    assert "no handshake within 5.0 s; does the receiver speak TLS?" in errors_of(caplog)[0]
    assert not sink.connected


def test_a_receiver_that_does_not_speak_tls_is_told_from_one_that_does(receiver, sink_to, authority, caplog):
    receiver.listen()
    sink = sink_to(receiver.port, wallaroo.ClientTLS(authority.ca))
    push(sink, RECORDS)
    until(lambda: sink.pump(0.005) == [] and receiver.accept())
    receiver.say(b"220 welcome\r\n")
    pump_until(sink, lambda: errors_of(caplog))
    assert "the other side does not speak TLS" in errors_of(caplog)[0]
    assert b"record" not in receiver.read()


FILES = {
    "no CA": lambda _own: wallaroo.ClientTLS("/nowhere.pem"),
    "a CA without certificates": lambda own: wallaroo.ClientTLS(own.key),
    "no key": lambda own: wallaroo.ClientTLS(certificate=own.certificate, key="/nowhere.pem"),
    "another key": lambda own: wallaroo.ClientTLS(certificate=own.key, key=own.key),
    "a name that there is not": lambda _own: wallaroo.ClientTLS(server_name=".example.org"),
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_files_that_cannot_be_used_are_named_with_the_receiver(files, authority, clock):
    tls = files(authority.sign("sink"))
    with pytest.raises(SettingsError, match=r"the TLS of the sink to 127\.0\.0\.1:7: .*; give"):
        TcpSink(TcpReceiver("127.0.0.1", 7, tls), clock.monotonic)
