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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from wallaroo.connectors.tcp.framing import Frames
from wallaroo.connectors.tcp.port import accept, listen

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

    def __init__(self, number: int, sock: socket.socket, peer: str, frames: Frames) -> None:
        self.number = number
        self.sock = sock
        self.peer = peer
        self.frames = frames


class TcpSource:
    """One port of one worker, and the senders that are connected to it; `broken` counts those cut short."""

    def __init__(
        self, address: Address, new_frames: Callable[[], Frames], monotonic: Callable[[], float]
    ) -> None:
        self.broken = 0
        self._address = address
        self._new_frames = new_frames
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        self._accepting = False
        self._accept_at = 0.0
        self._accepted = 0
        self._connections: set[_Connection] = set()

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
        """What senders have brought; waits that long for the first of it, or for a new sender."""
        self._regulate()
        received = []
        for key, _ in self._selector.select(timeout_seconds):
            if key.data is None:
                self._accept(key.fileobj)
            elif (brought := self._read(key.data)) is not None and brought.payloads:
                received.append(brought)
        return received

    def close_port(self) -> None:
        """Accept nobody any more."""
        self._accept_no_more()
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def drain(self) -> Iterator[Received]:
        """What has arrived of all senders by now; each is disconnected behind its last."""
        for connection in list(self._connections):
            for _ in range(_LAST_READS):
                brought = self._read(connection)
                if brought is None:
                    break
                yield brought
            if connection in self._connections:
                self._close(connection, "this worker is stopping")

    def close(self) -> None:
        """Accept nobody any more, and disconnect whoever is left."""
        self.close_port()
        for connection in list(self._connections):
            self._close(connection, "this worker is stopping")
        self._selector.close()

    def _regulate(self) -> None:
        """Accept, unless there are enough, or a moment ago there was no room for another."""
        full = len(self._connections) >= self._address.connections
        if self._accepting and full:
            self._accept_no_more()
        elif not self._accepting and not full and self._monotonic() >= self._accept_at:
            self._accepting = True
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ)

    def _accept_no_more(self) -> None:
        for listener in self._listeners if self._accepting else ():
            self._selector.unregister(listener)
        self._accepting = False

    def _accept(self, listener: Any) -> None:
        if len(self._connections) >= self._address.connections:
            return
        try:
            sock, peer = accept(listener)
        except (BlockingIOError, ConnectionError):
            # Another worker was quicker, or the sender has changed its mind.
            return
        except OSError as error:
            details = {"source": self._address.source, "error": str(error)}
            _log.warning("sender not accepted", extra=details)
            self._accept_at = self._monotonic() + _ACCEPT_PAUSE_SECONDS
            self._accept_no_more()
            return
        connection = _Connection(self._accepted, sock, peer, self._new_frames())
        self._accepted += 1
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _read(self, connection: _Connection) -> Received | None:
        """One read; None where there is nothing, and after the end."""
        try:
            data = connection.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            self._close(connection, str(error))
            return None
        if not data:
            self._close(connection, "")
            return None
        payloads = connection.frames.feed(data)
        if connection.frames.error is not None:
            self._close(connection, str(connection.frames.error))
        return Received(connection.number, payloads)

    def _close(self, connection: _Connection, problem: str) -> None:
        self._selector.unregister(connection.sock)
        self._connections.remove(connection)
        connection.sock.close()
        cut_off = connection.frames.partial_bytes
        if problem or cut_off:
            self.broken += 1
            _log.warning(
                "sender disconnected",
                extra={
                    "source": self._address.source,
                    "sender": connection.peer,
                    "reason": problem or "it closed the connection in the middle of a frame",
                    "dropped_bytes": cut_off,
                },
            )
