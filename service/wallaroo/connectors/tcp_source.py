"""The TCP source: a port that senders connect to, and the payloads that they bring.

Rules for whoever edits this file:
1. One thread, and nothing blocks: `receive` waits as long as it is told, and reads each sender that has
   something once. Not calling it is back-pressure: the kernel's buffers fill up, and senders wait.
2. The payloads of a connection come in order, all that are whole, whatever ends it.
3. At the limit of connections nobody is accepted: the next sender waits in the backlog.
"""

import logging
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass

from wallaroo.connectors.framing import Frames
from wallaroo.connectors.tcp_port import accept, listen

_log = logging.getLogger(__name__)

_READ_BYTES = 262_144
# What is read of a connection at the end, times _READ_BYTES: a sender that goes on must not hold us up.
_LAST_READS = 64
# Where the system has no descriptor left, accepting again at once would only say so again.
_ACCEPT_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source listens, and how many senders it takes at a time."""

    source: str
    host: str
    port: int
    connections: int


@dataclass(frozen=True, slots=True)
class Received:
    """What one read of a connection has completed; connections are counted from 0."""

    connection: int
    payloads: list[bytes]


class _Connection:
    __slots__ = ("frames", "number", "peer", "sock")

    def __init__(self, number: int, sock: socket.socket, frames: Frames) -> None:
        self.number = number
        self.sock = sock
        self.frames = frames
        self.peer = "{}:{}".format(*sock.getpeername()[:2])


class TcpSource:
    """One port of one worker, and the senders that are connected to it."""

    def __init__(
        self, address: Address, new_frames: Callable[[], Frames], monotonic: Callable[[], float]
    ) -> None:
        self.accepted = 0
        self.broken = 0
        self._address = address
        self._new_frames = new_frames
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        self._accepting = False
        self._accept_at = 0.0
        self._connections: dict[int, _Connection] = {}

    @property
    def listening(self) -> bool:
        return bool(self._listeners)

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def port(self) -> int:
        """The port in fact, where the system was to choose it."""
        return int(self._listeners[0].getsockname()[1])

    def open(self) -> None:
        """Listen; SettingsError where that cannot be."""
        self._listeners = listen(self._address.source, self._address.host, self._address.port)
        details = {"source": self._address.source, "host": self._address.host, "port": self.port}
        _log.info("source listens", extra=details)

    def receive(self, timeout_seconds: float) -> list[Received]:
        """What senders have brought; waits for the first of it, or for a new sender, as long as it is told."""
        self._regulate()
        received = []
        for key, _ in self._selector.select(timeout_seconds):
            if key.data is None:
                self._accept(key.fileobj)
            else:
                received += self._read(key.data)
        return received

    def close_port(self) -> None:
        """Accept nobody any more."""
        self._stop_accepting()
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def drain(self) -> list[Received]:
        """What has arrived of all senders by now; then they are disconnected."""
        received = []
        for connection in list(self._connections.values()):
            for _ in range(_LAST_READS):
                some = self._read(connection)
                if not some:
                    break
                received += some
            if connection.number in self._connections:
                self._close(connection, "we are stopping")
        self._selector.close()
        return received
