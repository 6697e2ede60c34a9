"""How much a sender may hold: when to push no more to it, and when it pays to fetch again."""

from typing import Protocol


class Held(Protocol):
    """What is not confirmed."""

    size_bytes: int

    def __len__(self) -> int: ...


class Capacity:
    """The part of a sender that says how full it is."""

    def __init__(self, held: Held, most_records: int, most_bytes: int) -> None:
        self._held = held
        self._most_records = most_records
        self._most_bytes = most_bytes

    @property
    def unconfirmed(self) -> int:
        return len(self._held)

    @property
    def full(self) -> bool:
        """Push no more than what is in hand."""
        return self._fuller_than(1)

    @property
    def roomy(self) -> bool:
        """It pays to fetch again."""
        return not self._fuller_than(2)

    def _fuller_than(self, part: int) -> bool:
        held = self._held
        return len(held) * part >= self._most_records or held.size_bytes * part >= self._most_bytes
