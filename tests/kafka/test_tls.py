"""A whole service that takes frames and sends lines over TLS; its parts: tests/unit/connectors."""

import socket
import ssl

import pytest

from scripts.kafka.process import free_port
from tests.certificates import Authority
from tests.kafka.cluster import wait_until
from tests.kafka.service import ServiceProcess
from tests.kafka.word_count import framed
from tests.unit.connectors.test_tls_sink import TlsReceiver

SECONDS = 90


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def launch(bootstrap_servers, application_id, authority, tmp_path):
    """A function that starts the application with some of its options."""
    started = []
    own = authority.sign("own")

    def launch(port, receiver, **given):
        files = {"ca": authority.ca, "certificate": own.certificate, "key": own.key, **given}
        options = {"port": port, "receiver": receiver, **files}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        servers = [f"--bootstrap-servers={bootstrap_servers}", f"--application-id={application_id}"]
        log = tmp_path / "service.log"
        started.append(ServiceProcess(["tests.kafka.tls_app", *servers, *arguments], log))
        return started[-1]

    yield launch
    for service in started:
        service.kill_all()
        print(service.words())


def test_lines_come_in_and_go_out_encrypted(launch, authority):
    receiver = TlsReceiver(authority.sign("receiver"), client_ca=authority.ca)
    port, sender = free_port(), authority.sign("sender")
    service = launch(port, receiver.port).wait_ready(SECONDS)
    context = ssl.create_default_context(cafile=authority.ca)
    context.load_cert_chain(sender.certificate, sender.key)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(framed(b"one", b"two"))
        wait_until(lambda: len(receiver.received) == 8, SECONDS)
    assert sorted(receiver.received.split()) == [b"ONE", b"TWO"]
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(framed(b"plain"))
        wait_until(lambda: service.metric("wallaroo_senders_cut_off_total") == 1, SECONDS)
    assert "does not speak TLS" in service.words()
    assert service.stop() == 0
    receiver.close()


@pytest.mark.parametrize("file", ["ca", "certificate", "key"])
def test_a_file_that_is_missing_ends_the_service_and_is_named(file, launch):
    service = launch(free_port(), free_port(), **{file: "/nowhere.pem"})
    assert service.wait(SECONDS) == 2
    assert "'/nowhere.pem' cannot be read: No such file or directory" in service.words().splitlines()[-1]
    assert "Traceback" not in service.words()
