"""What a sink has handed over, and what it would have to hand over again: pure bookkeeping.

Rules for whoever edits this file:
1. A record waits, is handed over, is taken in whatever order the receiver likes, and is confirmed in the
   order of `push`.
2. What is handed over again is handed over anew: what is heard later of the first time counts for nothing.
   What was taken the first time is not handed over again, even where something before it is.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Record = TypeVar("Record")
Token = TypeVar("Token")


class Handed(Generic[Record, Token]):
    """One record on its way; `taken` is for whoever hears of it."""

    __slots__ = ("record", "size_bytes", "taken", "token")

    def __init__(self, record: Record, token: Token, size_bytes: int, *, taken: bool = False) -> None:
        self.record = record
        self.token = token
        self.size_bytes = size_bytes
        self.taken = taken


class InOrder(Generic[Record, Token]):
    """Records with the tokens that their owner knows them by; at most a window of them is under way."""

    def __init__(self, most_records: int, most_bytes: int) -> None:
        self.size_bytes = 0
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._waiting: deque[Handed[Record, Token]] = deque()
        self._under_way: deque[Handed[Record, Token]] = deque()
        self._bytes_under_way = 0

    def __len__(self) -> int:
        """How many records are not confirmed."""
        return len(self._waiting) + len(self._under_way)

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    @property
    def window_full(self) -> bool:
        return len(self._under_way) >= self._most_records or self._bytes_under_way >= self._most_bytes

    def push(self, record: Record, token: Token, size_bytes: int) -> None:
        self._waiting.append(Handed(record, token, size_bytes))
        self.size_bytes += size_bytes

    def next(self) -> Handed[Record, Token] | None:
        """The next record to hand over; None where there is none, or the window is full."""
        while self._waiting and not self.window_full:
            handed = self._waiting.popleft()
            self._under_way.append(handed)
            self._bytes_under_way += handed.size_bytes
            if not handed.taken:
                return handed
        return None

    def put_back(self) -> None:
        """The record that `next` has just returned could not be handed over now."""
        handed = self._under_way.pop()
        self._bytes_under_way -= handed.size_bytes
        self._waiting.appendleft(handed)

    def confirm(self) -> list[Token]:
        """Let go of the records at the head that are taken."""
        tokens: list[Token] = []
        while (queue := self._under_way or self._waiting) and queue[0].taken:
            handed = queue.popleft()
            if queue is self._under_way:
                self._bytes_under_way -= handed.size_bytes
            self.size_bytes -= handed.size_bytes
            tokens.append(handed.token)
        return tokens

    def again(self) -> None:
        """Everything that is not confirmed waits again, in its old order."""
        for old in reversed(self._under_way):
            self._waiting.appendleft(Handed(old.record, old.token, old.size_bytes, taken=old.taken))
        self._under_way.clear()
        self._bytes_under_way = 0

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        """Forget these records; those that were under way may still arrive."""
        self._waiting = deque(handed for handed in self._waiting if not unwanted(handed.token))
        self._under_way = deque(handed for handed in self._under_way if not unwanted(handed.token))
        self._bytes_under_way = sum(handed.size_bytes for handed in self._under_way)
        self.size_bytes = self._bytes_under_way + sum(handed.size_bytes for handed in self._waiting)
