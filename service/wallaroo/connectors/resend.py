"""What a sink has to send, and what it would have to send again: pure bookkeeping.

Rules for whoever edits this file:
1. A record waits, is taken by the connection, is held once the peer has acknowledged its last byte, and is
   confirmed: in the order of `push`, always, and never back once confirmed.
2. When the connection breaks, everything unconfirmed waits again, in its old order, from its first byte.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Token = TypeVar("Token")


class ResendBuffer(Generic[Token]):
    """Records with the tokens that their owner knows them by; positions count the bytes of one connection."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._waiting: deque[tuple[bytes, Token]] = deque()
        self._taken: deque[tuple[bytes, Token, int]] = deque()
        self._held: deque[tuple[float, list[tuple[bytes, Token]]]] = deque()
        self._position = 0
        self._count = 0

    def __len__(self) -> int:
        """How many records are not confirmed."""
        return self._count

    @property
    def unacknowledged(self) -> bool:
        return bool(self._waiting or self._taken)

    def push(self, record: bytes, token: Token) -> None:
        self._waiting.append((record, token))
        self.size_bytes += len(record)
        self._count += 1

    def take(self, size_bytes: int) -> bytes:
        """The next records in one piece: whole ones, and the last of them may go beyond `size_bytes`."""
        waiting, taken, records = self._waiting, self._taken, []
        position = self._position
        limit = position + size_bytes
        while waiting and position < limit:
            record, token = waiting.popleft()
            position += len(record)
            taken.append((record, token, position))
            records.append(record)
        self._position = position
        return b"".join(records)

    def acknowledged(self, position_bytes: int, now_seconds: float) -> None:
        """The peer has this many of the connection's bytes; the hold of what they cover begins."""
        taken, covered = self._taken, []
        while taken and taken[0][2] <= position_bytes:
            record, token, _ = taken.popleft()
            covered.append((record, token))
        if covered:
            self._held.append((now_seconds, covered))

    def confirm(self, until_seconds: float) -> list[Token]:
        """Let go of what has been held since `until_seconds` or longer."""
        tokens: list[Token] = []
        while self._held and self._held[0][0] <= until_seconds:
            _, records = self._held.popleft()
            tokens.extend(token for _, token in records)
            self._forget(records)
        return tokens

    def broken(self) -> None:
        """The connection is gone, and with it whatever it had taken."""
        self._waiting.extendleft((record, token) for record, token, _ in reversed(self._taken))
        for _, records in reversed(self._held):
            self._waiting.extendleft(reversed(records))
        self._taken.clear()
        self._held.clear()
        self._position = 0

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        """Forget these records: neither confirmed nor sent again, though what was taken may still arrive."""
        self._waiting = deque(entry for entry in self._waiting if not unwanted(entry[1]))
        self._taken = deque(entry for entry in self._taken if not unwanted(entry[1]))
        held = ((since, [e for e in records if not unwanted(e[1])]) for since, records in self._held)
        self._held = deque((since, records) for since, records in held if records)
        self._recount()

    def _forget(self, records: list[tuple[bytes, Token]]) -> None:
        self._count -= len(records)
        self.size_bytes -= sum(len(record) for record, _ in records)

    def _recount(self) -> None:
        sizes = [len(record) for record, _ in self._waiting]
        sizes += [len(record) for record, _, _ in self._taken]
        sizes += [len(record) for _, records in self._held for record, _ in records]
        self._count, self.size_bytes = len(sizes), sum(sizes)
