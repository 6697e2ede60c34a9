"""What a delivery needs of whatever sends its records."""

from collections.abc import Callable
from typing import Any, Protocol

from wallaroo.connectors.outbox import Token


class Sender(Protocol):
    """A receiver that comes and goes, and the records that it has not confirmed; of one thread only."""

    connections: int

    @property
    def connected(self) -> bool: ...
    @property
    def blocked(self) -> bool:
        """The receiver is slower than we are: `pump` should wait for it."""

    @property
    def unconfirmed(self) -> int: ...
    @property
    def full(self) -> bool:
        """Push no more than what is in hand."""

    @property
    def roomy(self) -> bool:
        """It pays to fetch again."""

    def push(self, record: Any, token: Token) -> None:
        """Have a record sent by the next `pump`; its token comes back once it is confirmed."""

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        """Forget records that are somebody else's now."""

    def pump(self, timeout_seconds: float = 0.0) -> list[Token]:
        """Do what can be done now, wait at most once, and return what is confirmed."""

    def flush(self, timeout_seconds: float) -> list[Token]:
        """Pump until everything is confirmed, the connection is gone, or time is up."""

    def close(self, timeout_seconds: float) -> list[Token]:
        """Send the rest, part from the receiver, and return what is confirmed by then."""
