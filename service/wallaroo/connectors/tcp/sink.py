"""The TCP sink: records in order to one receiver, sent again until they are confirmed.

Rules for whoever edits this file:
1. A record is confirmed once the peer's kernel has acknowledged it and the connection has outlived that by
   `confirm_seconds`: plain TCP cannot tell whether the application has read it. A receiver that stops reading
   for longer than that and then dies loses what its kernel had taken.
2. A new connection begins with the first byte of the first unconfirmed record.
3. The connection is checked before anything is confirmed: an end that has already come counts.
"""

import contextlib
import fcntl
import logging
import math
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable

from wallaroo.connectors.outbox import Token
from wallaroo.connectors.resend import ByteStream, ResendLimits, ResendQueue
from wallaroo.connectors.tcp.sockets import Dialer, keep_alive

_log = logging.getLogger(__name__)

# How much may be unconfirmed, and how long an acknowledged record is held.
CAPACITY = ResendLimits(200_000, 33_554_432)
_CONFIRM_SECONDS = 0.5
# The size of what one call of send() is given.
_BLOCK_BYTES = 262_144
_WAIT_SECONDS = 0.02
_READ_BYTES = 65_536
_READS_AT_ONCE = 16
_ABORT = struct.pack("ii", 1, 0)


class Connection:
    """Takes over a connected, non-blocking socket; every method raises OSError when the peer is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._block = memoryview(b"")
        self._written_bytes = 0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(sock)

    @property
    def blocked(self) -> bool:
        """The kernel did not take all of the last block."""
        return bool(self._block)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until the peer sends something, or the rest of the block can be written."""
        self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if self._block else 0))
        self._poll.poll(timeout_seconds * 1000)

    def peer_open(self) -> bool:
        """Discard what the peer has sent; False once it has closed its side in an orderly way."""
        for _ in range(_READS_AT_ONCE):
            try:
                if not self._socket.recv(_READ_BYTES):
                    return False
            except BlockingIOError:
                return True
        return True

    def load(self, block: bytes) -> None:
        """Set what `write` sends next; only if nothing is blocked."""
        self._block = memoryview(block)

    def write(self) -> bool:
        """Send what the kernel takes; True if that is all."""
        while self._block:
            try:
                written = self._socket.send(self._block)
            except BlockingIOError:
                return False
            self._written_bytes += written
            self._block = self._block[written:]
        return True

    def acknowledged_bytes(self) -> int:
        """How many of the bytes written so far the peer's kernel has."""
        return self._written_bytes - _unacknowledged_bytes(self._socket)

    def finish(self) -> None:
        """Tell the peer that nothing more will come."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        """Close so that nothing of this connection can arrive after the first byte of the next one."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._socket.close()


class TcpSink:
    """A connection that comes back, and the records that are not yet confirmed; used by one thread only."""

    def __init__(
        self,
        host: str,
        port: int,
        monotonic: Callable[[], float],
        capacity: ResendLimits = CAPACITY,
        confirm_seconds: float = _CONFIRM_SECONDS,
    ) -> None:
        self.receiver = f"{host}:{port}"
        self.connections = 0
        self.queue: ResendQueue[bytes] = ResendQueue(capacity)
        self._stream = ByteStream(self.queue)
        self._confirm_seconds = confirm_seconds
        self._monotonic = monotonic
        self._dialer = Dialer(host, port, monotonic)
        self._connection: Connection | None = None
        self._complained = False

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def blocked(self) -> bool:
        return self._connection is not None and self._connection.blocked

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        self.queue.drop(unwanted)

    def pump(self, timeout_seconds: float = 0.0) -> list[Token]:
        """Do what the socket allows now, wait for it at most once, and return what is confirmed."""
        try:
            if self._connection is None:
                self._connect(timeout_seconds)
            elif timeout_seconds > 0:
                self._exchange(self._connection)
                self._connection.wait(timeout_seconds)
            if self._connection is not None:
                self._exchange(self._connection)
        except OSError as error:
            self._connection_lost(str(error))
        tokens = self._stream.confirm(self._monotonic() - self._confirm_seconds)
        if tokens:
            self._dialer.reset_wait()
        return tokens

    def flush(self, timeout_seconds: float) -> list[Token]:
        return self._pump_while(lambda: len(self.queue) > 0, self._monotonic() + timeout_seconds)

    def close(self, timeout_seconds: float) -> list[Token]:
        """Send the rest, disconnect, and return what is confirmed by then.

        Unconfirmed records are kept; the next `pump` would connect again.
        """
        deadline = self._monotonic() + timeout_seconds
        tokens = self._pump_while(lambda: not self._stream.acknowledged, deadline)
        if self._connection is not None and self._stream.acknowledged:
            tokens += self._disconnect(self._connection, deadline)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._stream.reset()
        self._dialer.close()
        return tokens

    def _connect(self, timeout_seconds: float) -> None:
        sock = self._dialer.dial(timeout_seconds)
        if sock is not None:
            self._connection = Connection(sock)
            self.connections += 1
            self._complained = False
            _log.info("sink connected", extra={"receiver": self.receiver, "unconfirmed": len(self.queue)})
        elif self._dialer.failure and not self._complained:
            self._complained = True
            _log.warning(
                "sink not connected", extra={"receiver": self.receiver, "error": self._dialer.failure}
            )

    def _exchange(self, connection: Connection) -> None:
        if not connection.peer_open():
            raise ConnectionResetError("the receiver closed the connection")
        while connection.write():
            block = self._stream.take(_BLOCK_BYTES)
            if not block:
                break
            connection.load(block)
        self._stream.acknowledge(connection.acknowledged_bytes(), self._monotonic())

    def _connection_lost(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        self._stream.reset()
        self._dialer.wait()
        details = {"receiver": self.receiver, "error": reason, "unconfirmed": len(self.queue)}
        _log.warning("sink connection lost", extra=details)

    def _pump_while(self, unfinished: Callable[[], bool], deadline: float) -> list[Token]:
        tokens: list[Token] = []
        while self._connection is not None and unfinished() and self._monotonic() < deadline:
            tokens += self.pump(_WAIT_SECONDS)
        return tokens

    def _disconnect(self, connection: Connection, deadline: float) -> list[Token]:
        """Close this side; a receiver that then closes its own has read everything, so no hold is needed."""
        tokens: list[Token] = []
        try:
            connection.finish()
            while self._monotonic() < deadline and len(self.queue):
                connection.wait(_WAIT_SECONDS)
                until = self._monotonic() - self._confirm_seconds
                tokens += self._stream.confirm(until if connection.peer_open() else math.inf)
        except OSError as error:
            self._connection_lost(str(error))
        return tokens


def _unacknowledged_bytes(sock: socket.socket) -> int:
    """Linux's SIOCOUTQ; 0 on a system that cannot tell, where the hold time alone has to do."""
    try:
        answer = fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)
