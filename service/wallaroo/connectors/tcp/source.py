"""The TCP source: a port that senders connect to, and the payloads that they send.

Rules for whoever edits this file:
1. One thread, and nothing blocks but `poll`, for as long as it is told; it reads each sender that has sent
   something once. Not calling it is back-pressure: the kernel's buffers fill up, and senders wait.
2. The payloads of a connection come in order, and all complete ones do, whatever ends the connection.
3. At the limit of connections nobody is accepted: the next sender waits in the backlog, until one of the
   others leaves, or has sent no whole frame for so long that it has to make room.
4. Only time in which senders are read counts as silence: they may not send while Kafka takes nothing.
5. Whoever is still in the handshake of TLS after that time is cut off, whether another waits or not.
"""

import logging
import selectors
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from wallaroo.connectors.tcp.framing import Frames, new_frames
from wallaroo.connectors.tcp.sockets import accept, listen, someone_waits
from wallaroo.connectors.tcp.tls import TlsEnd, server_context
from wallaroo.topology.model import Ingest

_log = logging.getLogger(__name__)

_READ_BYTES = 262_144
# Of handshakes and changes of keys: more than an honest sender ever has to be told.
_MOST_UNSENT_BYTES = 65_536
# How often a connection is read at the end: a sender that goes on sending must not delay the worker's stop.
_LAST_READS = 64
# If the system has no file descriptor left, accepting again at once would only fail again.
_ACCEPT_PAUSE_SECONDS = 1.0
# Two reads that are further apart had something else in between: waiting for Kafka, say.
_LONGEST_POLL_SECONDS = 1.0

# The number of a connection, counted from 0, and the payloads that one read of it has completed.
Received = tuple[int, list[bytes]]


@dataclass(slots=True, eq=False)
class _Connection:
    number: int
    sock: socket.socket
    peer: str
    frames: Frames
    last_frame: float
    """When it sent a whole frame, or was accepted, in seconds of reading."""
    tls: TlsEnd | None = None
    unsent: bytes = b""
    """What TLS has to tell the sender, and the kernel has not taken."""
    waits: bool = False
    """For the kernel to take it."""

    @property
    def in_handshake(self) -> bool:
        return self.tls is not None and not self.tls.established


class TcpSource:
    """One port of one worker, and the senders connected to it; `broken` counts those that were cut off.

    Whoever has sent no whole frame for `idle_seconds` is cut off as soon as another sender waits.
    """

    def __init__(self, ingest: Ingest, monotonic: Callable[[], float], idle_seconds: float) -> None:
        self.broken = 0
        self._ingest = ingest
        self._monotonic = monotonic
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        self._accepting = False
        self._accept_at = 0.0
        self._accepted = 0
        self._idle_seconds = idle_seconds
        self._polled = monotonic()
        # Seconds of reading, so far.
        self._reading = 0.0
        self._warned = False
        self._connections: set[_Connection] = set()
        self._tls = None if ingest.tls is None else server_context(ingest.source, ingest.tls)
        # In the order in which they were accepted.
        self._handshakes: dict[_Connection, None] = {}

    @property
    def listening(self) -> bool:
        return bool(self._listeners)

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def port(self) -> int:
        """The actual port, also if the system was to choose it."""
        return int(self._listeners[0].getsockname()[1])

    def open(self) -> None:
        """Listen; SettingsError if that is not possible."""
        source, host = self._ingest.source, self._ingest.host
        self._listeners = listen(source, host, self._ingest.port)
        details = {"source": source, "host": host, "port": self.port}
        _log.info("source listens", extra=details)

    def poll(self, timeout_seconds: float) -> list[Received]:
        """What senders have sent; if nothing is there, wait so long for it or for a new sender."""
        self._count_reading()
        self._update_accepting()
        received = []
        for key, _ in self._selector.select(timeout_seconds):
            connection = key.data
            if connection is None:
                self._accept(key.fileobj)
            elif payloads := self._read(connection):
                connection.last_frame = self._reading
                received.append((connection.number, payloads))
        if self._handshakes:
            self._end_handshakes()
        self._make_room()
        return received

    def close_port(self) -> None:
        """Stop listening."""
        self._stop_accepting()
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def drain(self) -> Iterator[Received]:
        """What has arrived from all senders by now; disconnects each after its last payload."""
        for connection in list(self._connections):
            for _ in range(_LAST_READS):
                payloads = self._read(connection)
                if payloads is None:
                    break
                yield connection.number, payloads
            if connection in self._connections:
                self._close(connection, "this worker is stopping")

    def close(self) -> None:
        """Stop listening, and disconnect whoever is left."""
        self.close_port()
        for connection in list(self._connections):
            self._close(connection, "this worker is stopping")
        self._selector.close()

    def _update_accepting(self) -> None:
        """Accept senders, unless there are enough, or the system had no room for another a moment ago."""
        full = len(self._connections) >= self._ingest.connections
        if self._accepting and full:
            self._stop_accepting()
        elif not self._accepting and not full and self._monotonic() >= self._accept_at:
            self._accepting = True
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ)

    def _count_reading(self) -> None:
        now = self._monotonic()
        self._reading += min(now - self._polled, _LONGEST_POLL_SECONDS)
        self._polled = now

    def _end_handshakes(self) -> None:
        """Cut off whoever takes too long to agree on keys; a sender has nothing else to do."""
        for connection in list(self._handshakes):
            if not connection.in_handshake:
                del self._handshakes[connection]
            elif self._reading - connection.last_frame >= self._idle_seconds:
                self._close(connection, f"TLS: no handshake within {self._idle_seconds:.0f} s")

    def _make_room(self) -> None:
        """Cut off who has been silent the longest, if that is too long and another sender waits."""
        if len(self._connections) < self._ingest.connections or not someone_waits(self._listeners):
            self._warned = False
            return
        idlest = min(self._connections, key=lambda connection: connection.last_frame)
        silence = self._reading - idlest.last_frame
        if silence >= self._idle_seconds:
            self._close(idlest, f"no whole frame for {silence:.0f} s, while another sender waits")
        elif not self._warned:
            details = {"source": self._ingest.source, "connections": len(self._connections)}
            what = "raise the source's parallelism; who sends nothing makes room after sender_idle_timeout_ms"
            _log.warning("senders wait", extra={**details, "what": what})
        self._warned = True

    def _stop_accepting(self) -> None:
        for listener in self._listeners if self._accepting else ():
            self._selector.unregister(listener)
        self._accepting = False

    def _accept(self, listener: Any) -> None:
        if len(self._connections) >= self._ingest.connections:
            return
        try:
            sock, peer = accept(listener)
        except (BlockingIOError, ConnectionError):
            # Another worker was quicker, or the sender has gone.
            return
        except OSError as error:
            details = {"source": self._ingest.source, "error": str(error)}
            _log.warning("sender not accepted", extra=details)
            self._accept_at = self._monotonic() + _ACCEPT_PAUSE_SECONDS
            self._stop_accepting()
            return
        connection = _Connection(self._accepted, sock, peer, new_frames(self._ingest), self._reading)
        if self._tls is not None:
            connection.tls = TlsEnd(self._tls)
            self._handshakes[connection] = None
        self._accepted += 1
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _read(self, connection: _Connection) -> list[bytes] | None:
        """Read once; None if there is nothing, and after the end."""
        try:
            data = connection.sock.recv(_READ_BYTES)
        except BlockingIOError:
            if connection.unsent and (problem := self._tell(connection)):
                self._close(connection, problem)
            return None
        except OSError as error:
            self._close(connection, str(error))
            return None
        if not data:
            left = connection.in_handshake and connection.tls is not None and connection.tls.begun
            self._close(connection, "TLS: it left in the middle of the handshake" if left else "")
            return None
        if connection.tls is not None:
            return self._read_tls(connection, connection.tls, data)
        payloads = connection.frames.feed(data)
        if connection.frames.error is not None:
            self._close(connection, str(connection.frames.error))
        return payloads

    def _read_tls(self, connection: _Connection, tls: TlsEnd, data: bytes) -> list[bytes]:
        payloads = connection.frames.feed(tls.receive(data))
        problem = tls.error or str(connection.frames.error or "")
        if tls.ended:
            tls.say_farewell()
        connection.unsent += tls.take()
        problem = self._tell(connection) or problem
        if problem or tls.ended:
            self._close(connection, problem)
        elif len(connection.unsent) > _MOST_UNSENT_BYTES:
            self._close(connection, "TLS: it reads nothing of what it asks for")
        return payloads

    def _tell(self, connection: _Connection) -> str:
        """Send what the kernel takes, the rest when it takes more; what is wrong if it takes nothing."""
        try:
            while connection.unsent:
                connection.unsent = connection.unsent[connection.sock.send(connection.unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            return str(error)
        waits = bool(connection.unsent)
        if waits != connection.waits:
            connection.waits = waits
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
            self._selector.modify(connection.sock, events, connection)
        return ""

    def _close(self, connection: _Connection, problem: str) -> None:
        self._selector.unregister(connection.sock)
        self._connections.remove(connection)
        self._handshakes.pop(connection, None)
        connection.sock.close()
        cut_off = connection.frames.partial_bytes
        if problem or cut_off:
            self.broken += 1
            _log.warning(
                "sender disconnected",
                extra={
                    "source": self._ingest.source,
                    "sender": connection.peer,
                    "reason": problem or "it closed the connection in the middle of a frame",
                    "dropped_bytes": cut_off,
                },
            )
