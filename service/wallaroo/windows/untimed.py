"""The timeline of a task to which event time means nothing."""

from collections.abc import Mapping

from wallaroo.task.context import TimeContext
from wallaroo.task.dead_letters import Rejections
from wallaroo.task.replay import RecordTransaction
from wallaroo.windows.reports import Append, Reports


class Untimed:
    """Answers all that a Timeline does, and costs nothing per record."""

    reports: Reports | None = None
    pending = False
    rests = True
    awaits_end = False
    watermark: int | None = None

    def fast_lane(self, _rejections: Rejections) -> TimeContext:
        return TimeContext()

    def careful_lane(self, _rejections: Rejections) -> TimeContext:
        return TimeContext()

    def restore(self, _position: int) -> None: ...

    def look(self, _now_ms: int, _position: int, *, caught_up: bool) -> None: ...

    def hear(self, _value: bytes) -> None:
        """Windows that are not declared any more leave control records behind, for nobody."""

    def take_heard(self) -> int:
        return 0

    def fire(self) -> None: ...

    def begin_record(self) -> None: ...

    def arrive(self) -> None: ...

    def fire_carefully(self, _attempts: RecordTransaction, _rejections: Rejections, _at: int) -> None: ...

    def collect(self, _records: int, _append: Append) -> Mapping[str, int]:
        return {}
