"""What declarations of TLS refuse, and what is described of them."""

import pytest

import wallaroo
from tests.samples import TCP_SINK, source
from wallaroo.errors import WallarooParameterError
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.describe import describe


@wallaroo.decoder()
def decode(data):
    return data


@wallaroo.encoder
def encode(data):
    return data


@pytest.mark.parametrize(
    "made",
    [
        lambda: wallaroo.ServerTLS("", "key.pem"),
        lambda: wallaroo.ServerTLS("cert.pem", None),
        lambda: wallaroo.ServerTLS("cert.pem", "key.pem", client_ca=b"ca.pem"),
        lambda: wallaroo.ClientTLS(""),
        lambda: wallaroo.ClientTLS(certificate="cert.pem"),
        lambda: wallaroo.ClientTLS(key="key.pem"),
        lambda: wallaroo.ClientTLS(server_name=" "),
        lambda: wallaroo.TCPSourceConfig("in", "h", 1, decode, tls="cert.pem"),
        lambda: wallaroo.TCPSourceConfig("in", "h", 1, decode, tls=wallaroo.ClientTLS()),
        lambda: wallaroo.TCPSinkConfig("h", 1, encode, tls=True),
        lambda: wallaroo.TCPSinkConfig("h", 1, encode, tls=wallaroo.ServerTLS("cert.pem", "key.pem")),
    ],
)
def test_what_is_no_tls_is_refused_when_it_is_declared(made):
    with pytest.raises(WallarooParameterError, match=r"TLS|tls"):
        made()


def test_a_refusal_does_not_show_what_was_given():
    with pytest.raises(WallarooParameterError) as error:
        wallaroo.ServerTLS("cert.pem", b"-----BEGIN PRIVATE KEY-----")
    assert "BEGIN" not in str(error.value)


def test_the_topology_says_which_ports_and_receivers_speak_tls():
    tls = wallaroo.ServerTLS("cert.pem", "key.pem")
    read = wallaroo.source("in", wallaroo.TCPSourceConfig("in", "0.0.0.0", 7010, decode, tls=tls))  # noqa: S104
    sink = wallaroo.TCPSinkConfig("receiver", 7002, encode, tls=wallaroo.ClientTLS("ca.pem"))
    topology = compile_topology(wallaroo.build_application("app", read.to_sink(sink)))
    for form in ("text", "json"):
        assert "tls 0.0.0.0:7010" in describe(topology, form)
        assert "tls receiver:7002" in describe(topology, form)
        assert ".pem" not in describe(topology, form)


def test_without_it_they_speak_tcp():
    topology = compile_topology(wallaroo.build_application("app", source().to_sink(TCP_SINK)))
    assert "tls" not in describe(topology)
