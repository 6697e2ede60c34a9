"""Alerts as they are on the topic `alerts`.

Plain dataclasses that pydantic describes: an alert comes from our own code, so nothing in it needs
validation, and msgspec writes it at a tenth of what pydantic's serializer takes.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

import msgspec

Kind = Literal["deposit", "withdrawal"]

_to_json = msgspec.json.Encoder().encode


@dataclass(slots=True)
class TotalAlert:
    """The running total of a user is beyond the limit."""

    kind: Kind
    user: str
    total: int | float

    def __post_init__(self) -> None:
        if not -inf < self.total < inf:
            raise OverflowError(f"the total of {self.user!r} is more than a float can hold")

    def to_json(self) -> bytes:
        """The alert as it is on the topic."""
        return _to_json(self)


@dataclass(slots=True)
class AmountAlert:
    """A single amount is beyond the limit."""

    kind: Kind
    user: str
    amount: int | float

    def to_json(self) -> bytes:
        """The alert as it is on the topic."""
        return _to_json(self)
