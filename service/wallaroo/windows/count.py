"""Count windows: every so many messages of a key make one output."""

from dataclasses import dataclass
from typing import Any

from wallaroo.windows.aggregate import Aggregation


@dataclass(slots=True, eq=False)
class Counted:
    """The messages of one key since its last output."""

    count: int = 0
    accumulator: Any = None

    def add(self, message: Any, aggregation: Aggregation) -> None:
        if not self.count:
            self.accumulator = aggregation.initial_accumulator()
        replaced = aggregation.update(message, self.accumulator)
        if replaced is not None:
            self.accumulator = replaced
        self.count += 1

    def clear(self) -> None:
        self.count = 0
        self.accumulator = None


def is_empty(counted: Counted) -> bool:
    return not counted.count
