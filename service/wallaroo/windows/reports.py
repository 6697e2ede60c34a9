"""Reports: how a task tells the partitions of a repartition topic how far it has come.

Rules for whoever edits this file:
1. A report stands behind all that it speaks of, in the same transaction: at most one per partition and
   commit.
2. The exception is a record that came out of order, so far that a window has ended between its time and
   the watermark: the report goes in front of it. So it is late behind the hop where it was late before it,
   wherever commits fall.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from wallaroo.record import Output
from wallaroo.windows.control import Report, encode_report, is_control
from wallaroo.windows.grid import Grid
from wallaroo.windows.watermark import NEVER, Mark

Append = Callable[[Output], None]


class Level(Protocol):
    """How far the results of a task have come."""

    watermark: int


class Reports:
    """The reports of one task to a topic that leads to windows on `grid`.

    `level` is what the results of the task have come to before the record in hand.
    """

    def __init__(self, upstream: str, topic: str, grid: Grid, partitions: int, level: Level) -> None:
        self._sent = 0
        self._upstream = upstream
        self._topic = topic
        self._grid = grid
        self._level = level
        self._told = [NEVER] * partitions

    def precede(self, partition: int, event_time: int, append: Append) -> None:
        """Put a report in front of a record for that partition which comes far out of order."""
        watermark = self._level.watermark
        if event_time >= watermark or self._told[partition] >= watermark:
            return
        if self._grid.has_missed(event_time, watermark):
            self._tell(partition, Mark(watermark, idle=False), append)

    def send(self, mark: Mark, append: Append) -> None:
        """Tell every partition."""
        for partition in range(len(self._told)):
            self._tell(partition, mark, append)

    def count(self) -> dict[str, int]:
        """How many there were since the last count, by topic."""
        sent, self._sent = self._sent, 0
        return {self._topic: sent} if sent else {}

    def undone(self, outputs: Iterable[Output]) -> None:
        """These will not be written after all."""
        for topic, value, key, partition, *_ in outputs:
            if topic == self._topic and is_control(key, value):
                self._sent -= 1
                self._told[partition] = NEVER

    def restore(self) -> None:
        """Be as when the level was committed that is there now."""
        self._sent = 0
        self._told = [clamp(self._level.watermark)] * len(self._told)

    def _tell(self, partition: int, mark: Mark, append: Append) -> None:
        self._told[partition] = mark.watermark
        self._sent += 1
        append((self._topic, encode_report(Report(self._upstream, mark)), None, partition))


def clamp(watermark: int) -> int:
    """A watermark that has lost some delays, as a mark can hold it."""
    return max(NEVER, watermark)
