"""What tests of a delivery need: a receiver that comes and goes, a loop in a thread, and numbered records."""

import fcntl
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress

from tests.kafka.cluster import wait_until
from wallaroo.clock import SystemClock
from wallaroo.connectors.delivery import DeliveryLoop
from wallaroo.connectors.tcp.sink import CAPACITY, TcpSink
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import WorkerIdentity
from wallaroo.observability import metrics
from wallaroo.serde.codecs import codecs_of
from wallaroo.service.application import Loaded
from wallaroo.service.assemble import WorkerContext
from wallaroo.service.assemble_connectors import delivery_loop
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import Settings
from wallaroo.topology.model import Delivery, TcpReceiver, Topology

KEYS = ("rex", "fido", "laika", "belka", "strelka", "muhtar")


class Receiver:
    """Accepts whoever comes and keeps what each connection has brought; can go away and come back."""

    def __init__(self):
        self.connections = []
        # What has come, in that order: the number of its connection, and the bytes.
        self._blocks = []
        self.port = 0
        self.reading = threading.Event()
        self.reading.set()
        self.start()

    def start(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._start_thread(self._accept, self._listener)

    def stop(self):
        """Close everything at once, whatever has not been read."""
        for sock in (self._listener, *self._open):
            # Wakes the thread that waits on it; the other side may have gone before.
            with sock, suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def unread_bytes(self):
        """How much the kernel has taken that has not been read."""
        return sum(_unread_bytes(sock) for sock in self._open)

    def lines(self):
        """Whole lines in the order of their arrival: a partition may move to another connection and back."""
        begun, whole = defaultdict(bytes), []
        for connection, block in list(self._blocks):
            *lines, begun[connection] = (begun[connection] + block).split(b"\n")
            whole += lines
        return whole

    def _start_thread(self, work, *args):
        threading.Thread(target=work, args=args, daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections.append(bytearray())
            self._start_thread(self._read, connection, len(self.connections) - 1)

    def _read(self, connection, number):
        with connection:
            while True:
                self.reading.wait()
                try:
                    block = connection.recv(65_536)
                except OSError:
                    return
                if not block:
                    return
                self.connections[number] += block
                self._blocks.append((number, block))


def _unread_bytes(sock):
    with suppress(OSError, ValueError):
        return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]
    return 0


def tcp_loop(name, port, settings, worker=0, capacity=CAPACITY):
    """The delivery of the outbox of that name to a receiver on this machine."""
    delivery = delivery_to(TcpReceiver("127.0.0.1", port), name)
    identity, clock = WorkerIdentity(name, "test", worker), SystemClock()
    sink = TcpSink(TcpReceiver("127.0.0.1", port), clock.monotonic, capacity)
    return DeliveryLoop(delivery, sink, Settings(**settings), identity, clock, LoopMetrics("alerts"))


def loop_to(receiver, name, settings, worker=0):
    """The delivery of the outbox of that name to a topic of another cluster, as a worker builds it."""
    topology = Topology(name, name, f"{name}-dlq", (), ())
    spec = WorkerSpec(worker, "test", "", (), name, Settings(**settings), {})
    worker_context = WorkerContext(spec, Loaded(topology, codecs_of(None)))
    return delivery_loop(worker_context, delivery_to(receiver, name))


def delivery_to(receiver, name):
    return Delivery("alerts", f"{name}-delivery", name, receiver)


@contextmanager
def running(loop):
    failures = []

    def run():
        try:
            loop.run()
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield loop
    finally:
        loop.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert failures == []


@contextmanager
def killed_in_the_end(script, *arguments):
    """A process of its own, until SIGKILL."""
    with subprocess.Popen([sys.executable, "-c", script, *arguments]) as process:
        try:
            yield
        finally:
            process.kill()


def numbered(start, end):
    return [(key, f"{key} {number}\n") for number in range(start, end) for key in KEYS]


def filling(count):
    """Records that fill every buffer on the way."""
    return [(key, f"{key} {number} {'.' * 20_000}\n") for number in range(count // 6) for key in KEYS]


def wanted(end):
    return {key.encode(): [b"%s %d" % (key.encode(), number) for number in range(end)] for key in KEYS}


def by_key(lines):
    sorted_in = defaultdict(list)
    for line in lines:
        sorted_in[line.split()[0]].append(line)
    return dict(sorted_in)


def without_repeats(lines):
    """Every line where it came first."""
    return {key: list(dict.fromkeys(of_key)) for key, of_key in by_key(lines).items()}


def arrived(receiver, end):
    wait_until(lambda: len(set(receiver.lines())) == end * len(KEYS))
    return without_repeats(receiver.lines()) == wanted(end)


def until_beyond(receiver, number):
    """Wait until the receiver has the first record after that many of each key."""
    wait_until(lambda: len(set(receiver.lines())) > number * len(KEYS))


def delivered(loop):
    return loop.metrics.values.snapshot().get((metrics.DELIVERED_RECORDS.name, ("alerts",)), 0)
