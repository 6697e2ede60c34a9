"""The TCP sink: records in order to one receiver, sent again until they are confirmed.

Rules for whoever edits this file:
1. Confirmed is what the peer's kernel has acknowledged and the connection has outlived by
   `confirm_seconds`: plain TCP cannot tell whether the application has read it. A receiver that stops
   reading for longer than that and then dies loses what its kernel had taken.
2. A new connection begins with the first byte of the first unconfirmed record.
3. Before anything is confirmed the connection is looked at: an end that has already come counts.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from wallaroo.connectors.capacity import Capacity
from wallaroo.connectors.resend import ResendBuffer, Token
from wallaroo.connectors.tcp.connection import Connection
from wallaroo.connectors.tcp.dial import Dialer

_log = logging.getLogger(__name__)

# What one call of send() is given.
_BLOCK_BYTES = 262_144
_WAIT_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be unconfirmed, and how long an acknowledged record is held."""

    records: int = 200_000
    size_bytes: int = 33_554_432
    confirm_seconds: float = 0.5


class TcpSender(Capacity, Generic[Token]):
    """A connection that comes back, and the records that are not yet confirmed; of one thread only."""

    def __init__(
        self, host: str, port: int, monotonic: Callable[[], float], limits: Limits | None = None
    ) -> None:
        self.receiver = f"{host}:{port}"
        self.connections = 0
        self._monotonic = monotonic
        self._limits = limits or Limits()
        self._buffer: ResendBuffer[Token] = ResendBuffer()
        super().__init__(self._buffer, self._limits.records, self._limits.size_bytes)
        self._dialer = Dialer(host, port, monotonic)
        self._connection: Connection | None = None
        self._complained = False

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def blocked(self) -> bool:
        """The receiver is slower than we are: `pump` should wait for it."""
        return self._connection is not None and self._connection.blocked

    def push(self, record: bytes, token: Token) -> None:
        """Have a record sent by the next `pump`; its token comes back once it is confirmed."""
        self._buffer.push(record, token)

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        """Forget records that are somebody else's now."""
        self._buffer.drop(unwanted)

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
            self._lost(str(error))
        tokens = self._buffer.confirm(self._monotonic() - self._limits.confirm_seconds)
        if tokens:
            self._dialer.proven()
        return tokens

    def flush(self, timeout_seconds: float) -> list[Token]:
        """Pump until everything is confirmed, the connection is gone, or time is up."""
        return self._pump_while(lambda: len(self._buffer) > 0, self._monotonic() + timeout_seconds)

    def close(self, timeout_seconds: float) -> list[Token]:
        """Send the rest, part from the receiver, and return what is confirmed by then.

        What is not is kept; the next `pump` would connect again.
        """
        deadline = self._monotonic() + timeout_seconds
        tokens = self._pump_while(lambda: self._buffer.unacknowledged, deadline)
        if self._connection is not None and not self._buffer.unacknowledged:
            tokens += self._part(self._connection, deadline)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._buffer.broken()
        self._dialer.close()
        return tokens

    def _connect(self, timeout_seconds: float) -> None:
        sock = self._dialer.dial(timeout_seconds)
        if sock is not None:
            self._connection = Connection(sock)
            self.connections += 1
            self._complained = False
            _log.info("sink connected", extra={"receiver": self.receiver, "unconfirmed": len(self._buffer)})
        elif self._dialer.failure and not self._complained:
            self._complained = True
            _log.warning(
                "sink not connected", extra={"receiver": self.receiver, "error": self._dialer.failure}
            )

    def _exchange(self, connection: Connection) -> None:
        if not connection.peer_open():
            raise ConnectionResetError("the receiver closed the connection")
        while connection.write():
            block = self._buffer.take(_BLOCK_BYTES)
            if not block:
                break
            connection.load(block)
        self._buffer.acknowledged(connection.acknowledged_bytes(), self._monotonic())

    def _lost(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        self._buffer.broken()
        self._dialer.lost()
        details = {"receiver": self.receiver, "error": reason, "unconfirmed": len(self._buffer)}
        _log.warning("sink connection lost", extra=details)

    def _pump_while(self, unfinished: Callable[[], bool], deadline: float) -> list[Token]:
        tokens: list[Token] = []
        while self._connection is not None and unfinished() and self._monotonic() < deadline:
            tokens += self.pump(_WAIT_SECONDS)
        return tokens

    def _part(self, connection: Connection, deadline: float) -> list[Token]:
        """Close our side; a receiver that then closes its own has read everything, so no hold is needed."""
        tokens: list[Token] = []
        try:
            connection.finish()
            while self._monotonic() < deadline and len(self._buffer):
                connection.wait(_WAIT_SECONDS)
                until = self._monotonic() - self._limits.confirm_seconds
                tokens += self._buffer.confirm(until if connection.peer_open() else math.inf)
        except OSError as error:
            self._lost(str(error))
        return tokens
