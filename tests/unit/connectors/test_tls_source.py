"""A TCP source that speaks TLS, on real sockets: honest senders, wrong ones, and those that only pretend."""

import logging
import socket
import ssl
import struct
import threading
import warnings
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace

import pytest

import wallaroo
from tests.certificates import Authority, with_passphrase
from tests.unit.connectors.receiver import until
from tests.unit.connectors.test_tcp_source import IDLE_SECONDS, VOTES, collect, framed, total
from wallaroo.connectors.tcp.source import TcpSource
from wallaroo.errors import SettingsError

MANY = [b"%d" % number for number in range(20_000)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def own(authority):
    return authority.sign("source")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def received():
    return defaultdict(list)


@pytest.fixture
def source_with(clock):
    made = []

    def start(tls):
        made.append(TcpSource(replace(VOTES, tls=tls), clock.monotonic, IDLE_SECONDS))
        made[-1].open()
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def source(source_with, own):
    return source_with(wallaroo.ServerTLS(own.certificate, own.key))


@pytest.fixture
def both(source_with, own, authority):
    """A source that asks who its senders are."""
    return source_with(wallaroo.ServerTLS(own.certificate, own.key, client_ca=authority.ca))


class Sender:
    """Sends in a thread, so that the source can be polled meanwhile; `error` is what it was told."""

    def __init__(self, port, context, data, *, name="localhost", farewell=True):
        self.error = None
        self._arguments = port, context, data, name, farewell
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    @property
    def done(self):
        return not self._thread.is_alive()

    def _send(self):
        port, context, data, name, farewell = self._arguments
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname=name) as secure,
            ):
                secure.sendall(data)
                if farewell:
                    secure.unwrap()
                else:
                    plain.close()
        except OSError as error:
            self.error = error


def trusting(ca, certificate=None):
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def poll_until(source, received, condition):
    until(lambda: collect(received, source.poll(0.01)) or condition())


def reasons(caplog):
    return [record.reason for record in caplog.records if record.message == "sender disconnected"]


def test_what_a_sender_encrypts_is_received_in_its_order(source, received, authority):
    sender = Sender(source.port, trusting(authority.ca), framed(*MANY))
    poll_until(source, received, lambda: sender.done and not source.connections)
    assert sender.error is None
    assert received == {0: MANY}
    assert source.broken == 0


def test_older_tls_than_1_2_is_not_spoken(source, received, authority):
    context = trusting(authority.ca)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    sender = Sender(source.port, context, framed(b"old"))
    poll_until(source, received, lambda: sender.done and not source.connections)
    assert sender.error is not None
    assert total(received) == 0


def test_tls_1_2_is_spoken_too(source, received, authority):
    context = trusting(authority.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sender = Sender(source.port, context, framed(*MANY))
    poll_until(source, received, lambda: sender.done and not source.connections)
    assert (sender.error, received) == (None, {0: MANY})


def test_a_sender_with_a_certificate_may_send_where_one_is_asked_for(both, received, authority):
    sender = Sender(both.port, trusting(authority.ca, authority.sign("sender")), framed(b"vote"))
    poll_until(both, received, lambda: sender.done and not both.connections)
    assert (sender.error, received[0]) == (None, [b"vote"])


def test_a_sender_without_a_certificate_may_not(both, received, authority, caplog):
    sender = Sender(both.port, trusting(authority.ca), framed(b"vote"))
    poll_until(both, received, lambda: sender.done and not both.connections)
    assert (total(received), both.broken) == (0, 1)
    assert "it shows no certificate; give it one that client_ca has signed" in reasons(caplog)[0]


@pytest.fixture(params=["stranger", "expired"])
def wrong(request, authority, stranger):
    """A certificate that is not good, and what is said of it."""
    if request.param == "stranger":
        return stranger.sign("sender"), "its certificate is refused"
    return authority.sign("expired", days=-1), "certificate has expired"


def test_a_sender_whose_certificate_is_not_good_may_not(wrong, both, received, authority, caplog):
    certificate, reason = wrong
    sender = Sender(both.port, trusting(authority.ca, certificate), framed(b"vote"))
    poll_until(both, received, lambda: sender.done and not both.connections)
    assert (total(received), both.broken) == (0, 1)
    assert reason in reasons(caplog)[0]


def test_a_sender_that_does_not_know_our_ca_sends_nothing_and_both_say_why(
    source, received, stranger, caplog
):
    sender = Sender(source.port, trusting(stranger.ca), framed(b"vote"))
    poll_until(source, received, lambda: sender.done and not source.connections)
    assert isinstance(sender.error, ssl.SSLCertVerificationError)
    assert (total(received), source.broken) == (0, 1)
    assert "it refuses our certificate" in reasons(caplog)[0]


@pytest.mark.parametrize("said", [framed(b"a vote in plain text"), b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100])
def test_a_sender_that_does_not_speak_tls_is_told_from_one_that_does(said, source, received, caplog):
    with socket.create_connection(("127.0.0.1", source.port)) as sender:
        sender.sendall(said)
        poll_until(source, received, lambda: source.broken)
    assert (total(received), source.connections) == (0, 0)
    assert "the other side does not speak TLS" in reasons(caplog)[0]


def test_a_port_that_is_only_tried_is_no_event(source, received, caplog):
    caplog.set_level(logging.WARNING)
    socket.create_connection(("127.0.0.1", source.port)).close()
    poll_until(source, received, lambda: source._accepted and not source.connections)
    assert (source.broken, caplog.records) == (0, [])


def test_a_handshake_does_not_last_longer_than_the_idle_time(source, received, clock, caplog):
    silent = socket.create_connection(("127.0.0.1", source.port))
    begun = socket.create_connection(("127.0.0.1", source.port))
    begun.sendall(b"\x16\x03\x01\x00\xff")
    poll_until(source, received, lambda: source.connections == 2)
    for _ in range(5):
        clock.advance(500)
        collect(received, source.poll(0.01))
    poll_until(source, received, lambda: not source.connections)
    assert source.broken == 2
    assert "no handshake within" in reasons(caplog)[0]
    silent.close()
    begun.close()


def test_a_sender_that_has_said_who_it_is_may_be_silent(source, received, authority, clock):
    go_on = threading.Event()

    class Patient(Sender):
        def _send(self):
            port, context, data, name, _ = self._arguments
            with (
                socket.create_connection(("127.0.0.1", port)) as plain,
                context.wrap_socket(plain, server_hostname=name) as secure,
            ):
                secure.sendall(data)
                go_on.wait(10)
                secure.sendall(data)

    sender = Patient(source.port, trusting(authority.ca), framed(b"vote"))
    poll_until(source, received, lambda: total(received) == 1)
    for _ in range(100):
        clock.advance(1_000)
        collect(received, source.poll(0))
    go_on.set()
    poll_until(source, received, lambda: sender.done and total(received) == 2)


def test_who_leaves_in_the_middle_of_the_handshake_is_counted(source, received, caplog):
    with socket.create_connection(("127.0.0.1", source.port)) as sender:
        sender.sendall(b"\x16\x03\x01\x00\xff")
        poll_until(source, received, lambda: source.connections)
    poll_until(source, received, lambda: not source.connections)
    assert "it left in the middle of the handshake" in reasons(caplog)[0]


def test_whole_frames_count_even_if_what_follows_is_damaged(source, received, authority, caplog):
    context = trusting(authority.ca)
    with socket.create_connection(("127.0.0.1", source.port), timeout=10) as plain:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        plain.settimeout(0.05)

        def shake():
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
                return True
            plain.sendall(outgoing.read())
            with suppress(TimeoutError):
                incoming.write(plain.recv(65_536))
            return False

        poll_until(source, received, shake)
        end.write(framed(b"whole"))
        plain.sendall(outgoing.read() + b"\x17\x03\x03\x00\x20" + b"damaged" * 5)
        poll_until(source, received, lambda: source.broken)
    assert received[0] == [b"whole"]
    assert reasons(caplog)[0].startswith("TLS: ")


FILES = {
    "no certificate": lambda own, _: wallaroo.ServerTLS("/nowhere.pem", own.key),
    "no key": lambda own, _: wallaroo.ServerTLS(own.certificate, "/nowhere.pem"),
    "another key": lambda own, other: wallaroo.ServerTLS(own.certificate, other.key),
    "no PEM": lambda own, _: wallaroo.ServerTLS(own.key, own.key),
    "a passphrase": lambda own, _: wallaroo.ServerTLS(own.certificate, with_passphrase(own.key, "s3cret")),
    "no CA": lambda own, _: wallaroo.ServerTLS(own.certificate, own.key, client_ca="/nowhere.pem"),
    "a CA without certificates": lambda own, _: wallaroo.ServerTLS(
        own.certificate, own.key, client_ca=own.key
    ),
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_files_that_cannot_be_used_are_named_with_the_source(files, own, authority, clock):
    tls = files(own, authority.sign("other"))
    with pytest.raises(
        SettingsError, match=r"the TLS of the source 'Votes': .*(\.pem|\.key).*; give"
    ) as error:
        TcpSource(replace(VOTES, tls=tls), clock.monotonic, IDLE_SECONDS)
    assert "s3cret" not in str(error.value)


def test_a_sender_of_plain_frames_is_read_as_ever(source_with, received):
    source = source_with(None)
    with socket.create_connection(("127.0.0.1", source.port)) as sender:
        sender.sendall(struct.pack(">I", 4) + b"vote")
        poll_until(source, received, lambda: total(received) == 1)
