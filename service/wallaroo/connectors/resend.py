"""The queue of a sink: the records that its receiver has not confirmed, in the order of `push`. Pure.

Rules for whoever edits this file:
1. A record waits, is sent, is acknowledged in any order, and is confirmed in the order of `push`. A confirmed
   record never comes back.
2. A receiver acknowledges single records (send with `next`, set `acknowledged`) or a number of bytes (send
   with `take`, pass the position to `confirm`); a ByteStream does the latter.
3. `resend` turns every sent record into a new entry, so that a late acknowledgement of the first attempt
   counts for nothing. An acknowledged record is not sent a second time, even if one before it is.
"""

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from wallaroo.connectors.outbox import Token

Record = TypeVar("Record", bound=Any)

# A moment, and a position in the bytes of one connection.
_BEGINNING = (0.0, 0)


@dataclass(frozen=True, slots=True)
class ResendLimits:
    """A number of records and their size; whichever is reached first."""

    records: int
    size_bytes: int


UNLIMITED = ResendLimits(sys.maxsize, sys.maxsize)


class Entry(Generic[Record]):
    """One record of a queue, with the token that its owner knows it by."""

    __slots__ = ("acknowledged", "end_position", "record", "token")

    def __init__(self, record: Record, token: Token, acknowledged: bool = False) -> None:
        self.record = record
        self.token = token
        self.acknowledged = acknowledged
        # The bytes taken since the last `resend`, up to the end of this record.
        self.end_position = 0


class ResendQueue(Generic[Record]):
    """Unconfirmed records: `window` bounds what `next` sends, `capacity` is for `is_full` and `has_room`."""

    def __init__(self, capacity: ResendLimits = UNLIMITED, window: ResendLimits = UNLIMITED) -> None:
        self.size_bytes = 0
        # How many bytes have been taken since the last `resend`.
        self._position = 0
        self._capacity = capacity
        self._window = window
        self._waiting: deque[Entry[Record]] = deque()
        self._sent: deque[Entry[Record]] = deque()
        self._sent_bytes = 0

    def __len__(self) -> int:
        """How many records are not confirmed."""
        return len(self._waiting) + len(self._sent)

    @property
    def sent(self) -> int:
        """How many records are sent and not confirmed."""
        return len(self._sent)

    @property
    def is_full(self) -> bool:
        """No more should be pushed than what has been read already."""
        return self._fills(1)

    @property
    def has_room(self) -> bool:
        """Less than half full: it pays to read on."""
        return not self._fills(2)

    @property
    def window_full(self) -> bool:
        return len(self._sent) >= self._window.records or self._sent_bytes >= self._window.size_bytes

    def is_acknowledged(self, position: int) -> bool:
        """Whether nothing waits, and nothing taken ends beyond this position."""
        return not self._waiting and not (self._sent and self._sent[-1].end_position > position)

    def push(self, record: Record, token: Token) -> None:
        self._waiting.append(Entry(record, token))
        self.size_bytes += len(record)

    def next(self) -> Entry[Record] | None:
        """The next record to send; None if there is none, or if the window is full."""
        while self._waiting and not self.window_full:
            entry = self._waiting.popleft()
            self._sent.append(entry)
            self._sent_bytes += len(entry.record)
            if not entry.acknowledged:
                return entry
        return None

    def put_back(self) -> None:
        """Let the record wait that `next` has just returned: it could not be sent."""
        entry = self._sent.pop()
        self._sent_bytes -= len(entry.record)
        self._waiting.appendleft(entry)

    def take(self, size_bytes: int) -> list[Record]:
        """The next records to send: whole ones, the last of which may go beyond `size_bytes`."""
        waiting, sent, position = self._waiting, self._sent, self._position
        records: list[Record] = []
        limit = position + size_bytes
        while waiting and position < limit:
            entry = waiting.popleft()
            record = entry.record
            entry.end_position = position = position + len(record)
            sent.append(entry)
            records.append(record)
        self._sent_bytes += position - self._position
        self._position = position
        return records

    def confirm(self, position: int = -1) -> list[Token]:
        """Remove the records at the head that are acknowledged or end at this position or before."""
        tokens: list[Token] = []
        sent, size_bytes = self._sent, 0
        while sent and ((entry := sent[0]).acknowledged or entry.end_position <= position):
            sent.popleft()
            size_bytes += len(entry.record)
            tokens.append(entry.token)
        self._sent_bytes -= size_bytes
        self.size_bytes -= size_bytes
        while not sent and self._waiting and self._waiting[0].acknowledged:
            entry = self._waiting.popleft()
            self.size_bytes -= len(entry.record)
            tokens.append(entry.token)
        return tokens

    def resend(self) -> None:
        """Let everything unconfirmed wait again, in its old order, from its first byte."""
        for old in reversed(self._sent):
            self._waiting.appendleft(Entry(old.record, old.token, old.acknowledged))
        self._sent.clear()
        self._sent_bytes = self._position = 0

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        """Forget these records; those that were sent may still arrive."""
        self._waiting = deque(entry for entry in self._waiting if not unwanted(entry.token))
        self._sent = deque(entry for entry in self._sent if not unwanted(entry.token))
        self._sent_bytes = sum(len(entry.record) for entry in self._sent)
        self.size_bytes = self._sent_bytes + sum(len(entry.record) for entry in self._waiting)

    def _fills(self, parts: int) -> bool:
        """Whether the queue fills one of so many equal parts of its capacity."""
        limits = self._capacity
        return len(self) * parts >= limits.records or self.size_bytes * parts >= limits.size_bytes


class ByteStream:
    """The records of a queue as the bytes of one connection, held for a while once they are acknowledged."""

    def __init__(self, queue: ResendQueue[bytes]) -> None:
        self._queue = queue
        # Positions that the peer has acknowledged, each with the moment when that was seen. The hold of the
        # first one is over: it is what `confirm` goes by.
        self._held = deque([_BEGINNING])

    @property
    def acknowledged(self) -> bool:
        """Whether every record is sent, and its last byte acknowledged."""
        return self._queue.is_acknowledged(self._held[-1][1])

    def take(self, size_bytes: int) -> bytes:
        """The next records in one piece: whole ones, the last of which may go beyond `size_bytes`."""
        return b"".join(self._queue.take(size_bytes))

    def acknowledge(self, position: int, now_seconds: float) -> None:
        """The peer has so many bytes of this connection; records that end there are held from now on."""
        if position > self._held[-1][1]:
            self._held.append((now_seconds, position))

    def confirm(self, until_seconds: float) -> list[Token]:
        """Remove the records that have been held since `until_seconds` or longer."""
        while len(self._held) > 1 and self._held[1][0] <= until_seconds:
            self._held.popleft()
        return self._queue.confirm(self._held[0][1])

    def reset(self) -> None:
        """The connection is gone, and with it whatever it had taken."""
        self._queue.resend()
        self._held = deque([_BEGINNING])
