"""How far the partitions of an outbox are read, delivered and committed. Pure.

Rules for whoever edits this file:
1. A partition is owned from the poll after its assignment: what the assigning poll itself returns of it
   belongs to an earlier assignment.
2. An offset is due only once the record before it, and all before that one, are confirmed.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from confluent_kafka import TopicPartition

from wallaroo.clock import Clock
from wallaroo.engine.commit_watch import CommitWatch

# What a record of an outbox is confirmed by: its partition, and the offset to commit then.
Token = tuple[int, int]

_NOT_COMMITTED = -1


@dataclass(slots=True)
class Position:
    """Offsets of one partition: the next to read, to be confirmed, to be committed; the last end seen."""

    read: int
    delivered: int
    committed: int
    end: int = 0

    @property
    def done(self) -> int:
        """Up to where deliveries are committed; between the last record and an end seen are only markers."""
        done = self.delivered if self.committed == _NOT_COMMITTED else min(self.delivered, self.committed)
        return max(done, self.end) if done == self.read else done


def new_watch(name: str, clock: Clock) -> CommitWatch:
    """What a delivery says of offsets that it cannot commit."""
    return CommitWatch(name, clock)


class Outbox:
    """The partitions of one outbox topic that one worker delivers."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        # What is committed with every offset.
        self.metadata = ""
        self.owned: dict[int, Position] = {}
        self._assigned: dict[int, Position] = {}

    def __len__(self) -> int:
        return len(self.owned) + len(self._assigned)

    def positions(self) -> list[TopicPartition]:
        """The next offset to read of each partition."""
        return [TopicPartition(self.topic, number, at.read) for number, at in self.owned.items()]

    def assigned(self, number: int, offset: int, *, is_committed: bool = True) -> None:
        """Note where a partition begins; an offset that is not committed yet is due at once."""
        self._assigned[number] = Position(offset, offset, offset if is_committed else _NOT_COMMITTED)

    def admit(self) -> bool:
        """Own what has been assigned; False if that is nothing."""
        any_assigned = bool(self._assigned)
        self.owned.update(self._assigned)
        self._assigned.clear()
        return any_assigned

    def release(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.owned.pop(number, None)
            self._assigned.pop(number, None)

    def any_besides(self, numbers: Collection[int]) -> bool:
        return any(number not in numbers for number in [*self.owned, *self._assigned])

    def delivered(self, tokens: Iterable[Token]) -> None:
        """Note confirmations, in their order: of each partition, the last one counts."""
        for number, next_offset in dict(tokens).items():
            self.owned[number].delivered = next_offset

    def due(self) -> list[TopicPartition]:
        """The offsets that are confirmed and not yet committed."""
        return [
            TopicPartition(self.topic, number, position.delivered, self.metadata)
            for number, position in self.owned.items()
            if position.delivered != position.committed
        ]

    def committed(self, done: Iterable[TopicPartition]) -> None:
        """What Kafka has accepted is no longer due; what it refused still is."""
        for tp in done:
            if tp.error is None:
                self.owned[tp.partition].committed = tp.offset
