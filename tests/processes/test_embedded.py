"""The embedded broker: it answers, and it never outlives whoever started it."""

import signal
import socket
import subprocess
import sys

from confluent_kafka import Consumer, Producer

from tests.kafka.cluster import wait_until
from wallaroo.demo.embedded import embedded_broker

STARTS_ONE = """
import sys
from wallaroo.demo.embedded import embedded_broker
if __name__ == "__main__":
    with embedded_broker() as address:
        print(address, flush=True)
        sys.stdin.read()
"""


def is_up(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def consume_one(address, topic):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        return wait_until(lambda: consumer.poll(1)).value()
    finally:
        consumer.close()


def test_what_is_written_can_be_read():
    with embedded_broker() as address:
        producer = Producer({"bootstrap.servers": address})
        producer.produce("pets", b"Fido")
        assert producer.flush(10) == 0
        assert consume_one(address, "pets") == b"Fido"


def test_it_ends_with_its_context():
    with embedded_broker() as address:
        assert is_up(address)
    wait_until(lambda: not is_up(address))


def test_it_gives_ctrl_c_back_to_whoever_had_it():
    before = signal.getsignal(signal.SIGINT)
    with embedded_broker():
        assert signal.getsignal(signal.SIGINT) is before


def test_it_dies_with_its_parent_however_that_dies(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(STARTS_ONE)
    parent = subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        address = parent.stdout.readline().strip()
        assert is_up(address)
        parent.kill()
    wait_until(lambda: not is_up(address))
