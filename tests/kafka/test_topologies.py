"""The applications over TCP and from Kafka to Kafka, each once on a real broker."""

import socket
import struct
from collections import Counter
from itertools import cycle, islice

import pytest

from scripts.kafka.process import free_port
from tests.kafka.cluster import create_topic, produce, read_topic, wait_until
from tests.kafka.service import ServiceProcess
from tests.kafka.tail import Tail
from wallaroo.state.store import POSITION_KEY

NARROW, WIDE = (10.0, 10.01), (10.0, 10.06)
TIME = b"20150701-00:00:00.000"


@pytest.fixture
def start(bootstrap_servers, application_id, tmp_path):
    """A function that starts an application and returns when it is ready."""
    services = []

    def started(module, *arguments):
        options = [f"--bootstrap-servers={bootstrap_servers}", f"--application-id={application_id}"]
        log = tmp_path / "service.log"
        services.append(ServiceProcess([f"topologies.{module}", *options, *arguments], log))
        return services[-1].wait_ready()

    yield started
    for service in services:
        service.kill_all()
        print(f"--- service.log ---\n{service.log.read_text(errors='replace')}")


def send(port, payloads):
    """Everything over one connection, until all of it has been read."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
        sender.sendall(b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads))
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(1) == b""


def test_alphabet_adds_up_the_votes_of_each_letter(start, receiver):
    port = free_port()
    service = start("alphabet", f"--in=Votes@127.0.0.1:{port}", f"--out={receiver.address}")
    ballots = [("abcdefghij"[number], number) for number in range(10)] * 100
    send(port, [struct.pack(">sI", letter.encode(), votes) for letter, votes in ballots])
    wait_until(lambda: len(receiver.lines()) == 1_000)
    wanted = Counter()
    for letter, votes in ballots:
        wanted[letter] += votes
    assert dict(line.decode().split(" => ") for line in receiver.lines()) == {
        letter: str(votes) for letter, votes in wanted.items()
    }
    assert service.stop() == 0


def test_market_spread_rejects_the_orders_of_wide_markets(start, receiver, bootstrap_servers, application_id):
    orders_port, quotes_port = free_port(), free_port()
    addresses = f"Orders@127.0.0.1:{orders_port},Market Data@127.0.0.1:{quotes_port}"
    service = start("market_spread", f"--in={addresses}", f"--out={receiver.address}")
    markets = dict(zip([b"S%03d" % number for number in range(40)], cycle([NARROW, WIDE]), strict=False))
    send(
        quotes_port,
        [struct.pack(">B4s21sdd", 2, symbol, TIME, *market) for symbol, market in markets.items()],
    )
    changelog = Tail(bootstrap_servers, f"{application_id}-check-order-changelog")
    wait_until(lambda: {message.key() for message in changelog.read()} == {*markets, POSITION_KEY})
    changelog.close()
    numbered = list(enumerate(islice(cycle(markets), 1_000)))
    send(
        orders_port,
        [
            struct.pack(">BBI6s4sdd21s", 1, 1, 7, b"%06d" % n, symbol, 1.0, 10.0, TIME)
            for n, symbol in numbered
        ],
    )
    wait_until(lambda: len(receiver.everything()) == 500 * 59)
    frames = [receiver.everything()[at : at + 59] for at in range(0, 500 * 59, 59)]
    rejected = {struct.unpack(">IBI6s4sddddQ", frame)[3:5] for frame in frames}
    assert rejected == {(b"%06d" % n, symbol) for n, symbol in numbered if markets[symbol] is WIDE}
    assert service.stop() == 0


def test_celsius_converts_from_topic_to_topic(start, bootstrap_servers, application_id):
    celsius, fahrenheit = f"{application_id}-celsius", f"{application_id}-fahrenheit"
    create_topic(bootstrap_servers, celsius, 1)
    create_topic(bootstrap_servers, fahrenheit, 1)
    service = start("celsius", "--kafka_source_topic", celsius, "--kafka_sink_topic", fahrenheit)
    produce(bootstrap_servers, celsius, [(None, str(number)) for number in range(1, 101)] + [(None, "warm")])
    wanted = [f"{1.8 * number + 32:.6f}".encode() for number in (*range(1, 101), 0)]
    tail = Tail(bootstrap_servers, fahrenheit)
    wait_until(lambda: len(tail.read()) == len(wanted))
    tail.close()
    assert service.stop() == 0
    assert [message.value() for message in read_topic(bootstrap_servers, fahrenheit)] == wanted
