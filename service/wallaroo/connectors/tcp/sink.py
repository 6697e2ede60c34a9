"""The TCP sink: records in order to one receiver, sent again until they are confirmed.

Rules for whoever edits this file:
1. A record is confirmed once the peer's kernel has acknowledged it and the connection has outlived that by
   `confirm_seconds`: plain TCP cannot tell whether the application has read it. A receiver that stops reading
   for longer than that and then dies loses what its kernel had taken.
2. A new connection begins with the first byte of the first unconfirmed record.
3. The connection is checked before anything is confirmed: an end that has already come counts.
"""

import logging
import math
import socket
from collections.abc import Callable

from wallaroo.connectors.outbox import Token
from wallaroo.connectors.resend import ByteStream, ResendLimits, ResendQueue
from wallaroo.connectors.tcp.sink_connection import Connection, SecureConnection
from wallaroo.connectors.tcp.sockets import Dialer
from wallaroo.connectors.tcp.tls import TlsEnd, client_context
from wallaroo.topology.model import TcpReceiver

_log = logging.getLogger(__name__)

# How much may be unconfirmed, and how long an acknowledged record is held.
CAPACITY = ResendLimits(200_000, 33_554_432)
_CONFIRM_SECONDS = 0.5
# The size of what one call of send() is given.
_BLOCK_BYTES = 262_144
_WAIT_SECONDS = 0.02
# How long a receiver may take to say who it is.
_HANDSHAKE_SECONDS = 5.0


class TcpSink:
    """A connection that comes back, and the records that are not yet confirmed; used by one thread only."""

    def __init__(
        self,
        receiver: TcpReceiver,
        monotonic: Callable[[], float],
        capacity: ResendLimits = CAPACITY,
        confirm_seconds: float = _CONFIRM_SECONDS,
    ) -> None:
        self.receiver = f"{receiver.host}:{receiver.port}"
        self.connections = 0
        self.queue: ResendQueue[bytes] = ResendQueue(capacity)
        self._stream = ByteStream(self.queue)
        self._confirm_seconds = confirm_seconds
        self._monotonic = monotonic
        self._dialer = Dialer(receiver.host, receiver.port, monotonic)
        self._connection: Connection | SecureConnection | None = None
        tls = receiver.tls
        self._server_name = (tls and tls.server_name) or receiver.host
        self._tls = None if tls is None else client_context(self.receiver, tls, self._server_name)
        self._in_handshake = False
        self._handshake_deadline = 0.0
        self._complained = False

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._in_handshake

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
            self._in_handshake = True
            self._handshake_deadline = self._monotonic() + _HANDSHAKE_SECONDS
            self._connection = self._new_connection(sock)
            self._end_handshake(self._connection)
        elif self._dialer.failure:
            self._not_connected(self._dialer.failure)

    def _new_connection(self, sock: socket.socket) -> Connection | SecureConnection:
        made = Connection(sock)
        return made if self._tls is None else SecureConnection(made, TlsEnd(self._tls, self._server_name))

    def _not_connected(self, reason: str) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("sink not connected", extra={"receiver": self.receiver, "error": reason})

    def _end_handshake(self, connection: Connection | SecureConnection) -> None:
        """Note that the receiver is who it should be; TimeoutError if it does not say so in time."""
        if connection.ready:
            self._in_handshake = False
            self.connections += 1
            self._complained = False
            _log.info("sink connected", extra={"receiver": self.receiver, "unconfirmed": len(self.queue)})
        elif self._monotonic() >= self._handshake_deadline:
            raise TimeoutError(
                f"TLS: no handshake within {_HANDSHAKE_SECONDS} s; does the receiver speak TLS?"
            )

    def _exchange(self, connection: Connection | SecureConnection) -> None:
        if not connection.peer_open():
            raise ConnectionResetError("the receiver closed the connection")
        if self._in_handshake:
            self._end_handshake(connection)
            if self._in_handshake:
                connection.write()
                return
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
        if self._in_handshake:
            self._in_handshake = False
            self._not_connected(reason)
            return
        details = {"receiver": self.receiver, "error": reason, "unconfirmed": len(self.queue)}
        _log.warning("sink connection lost", extra=details)

    def _pump_while(self, unfinished: Callable[[], bool], deadline: float) -> list[Token]:
        tokens: list[Token] = []
        while self._connection is not None and unfinished() and self._monotonic() < deadline:
            tokens += self.pump(_WAIT_SECONDS)
        return tokens

    def _disconnect(self, connection: Connection | SecureConnection, deadline: float) -> list[Token]:
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
