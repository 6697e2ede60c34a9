"""What a delivery needs of a sink.

Sources have no protocol yet, because no loop drives two kinds of them: a TCP source (`poll`, `close`) cannot
tell its senders what Kafka has, and a generator commits its position together with its values. The protocol
of a source that can be acknowledged belongs here: `poll() -> (records, position)` and `ack(position)`.
"""

from collections.abc import Callable
from typing import Any, Protocol

from wallaroo.connectors.outbox import Token
from wallaroo.connectors.resend import ResendQueue


class Sink(Protocol):
    """Sends the records of its queue to a receiver that comes and goes; used by one thread only.

    A record pushed to `queue` is sent by the next `pump`, and its token is returned once it is confirmed.
    """

    connections: int
    queue: ResendQueue[Any]

    @property
    def connected(self) -> bool: ...
    @property
    def blocked(self) -> bool:
        """The receiver is slower than this worker: `pump` should wait for it."""

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        """Forget records that belong to another worker now."""

    def pump(self, timeout_seconds: float = 0.0) -> list[Token]:
        """Do what can be done now, wait at most once, and return what is confirmed."""

    def flush(self, timeout_seconds: float) -> list[Token]:
        """Pump until everything is confirmed, the connection is gone, or time is up."""

    def close(self, timeout_seconds: float) -> list[Token]:
        """Send the rest, disconnect, and return what is confirmed by then."""
