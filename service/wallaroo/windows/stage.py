"""What a window stage is made of: its kind, the time context it is composed with, and how its windows fire.

Rules for whoever edits this file:
1. A message costs one `update`, however many windows overlap.
2. A message is placed, or found late, before its own time moves the watermark.
3. Results do not depend on which record, control record or tick of the clock made their windows due.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wallaroo.api.windows import Windows
from wallaroo.errors import RecordError
from wallaroo.record import Emit, Moment, RawRecord
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access, StoreFormat
from wallaroo.topology.steps import Window
from wallaroo.windows.control import WatermarkReports
from wallaroo.windows.expiry import Expiry
from wallaroo.windows.future import FutureBound
from wallaroo.windows.timers import DueTimes, Timers
from wallaroo.windows.watermark import OutputWatermark, SourceClock

# (record, error): deal with a record that has no usable event time.
Refuse = Callable[[RawRecord, RecordError], None]


def refuse_by_raising(_record: RawRecord, error: RecordError) -> None:
    raise error


class WindowTrigger(NamedTuple):
    """How the windows of one stage fire; `discard` closes a window without an output.

    Both functions take an entry of the timers, which may be out of date.
    """

    name: str
    timers: Timers
    fire: Callable[[int, bytes], None]
    discard: Callable[[int, bytes], None]


@dataclass(frozen=True, slots=True)
class TimeContext:
    """The event time of one task, as its composed stages use it; empty if nothing asks for event time.

    `timers` and `expiries` are by store. `triggers` fills up as stages are composed, the last stage first.
    `clock` is that of a source; `advance` is called with an event time that is ahead of it. `late` counts
    late messages by stage, `dropped` what is discarded by (stage, reason). `refuse` gets the records of a
    source whose event time cannot be used, or is beyond `future`. `output` says how far the results of the
    task have come.
    """

    timers: Mapping[str, Timers] = field(default_factory=dict)
    expiries: Mapping[str, Expiry] = field(default_factory=dict)
    triggers: list[WindowTrigger] = field(default_factory=list)
    clock: SourceClock | None = None
    advance: Callable[[int], None] = lambda _event_time: None
    reports: WatermarkReports | None = None
    late: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    future: FutureBound = field(default_factory=FutureBound)
    refuse: Refuse = refuse_by_raising
    output: OutputWatermark | None = None


@dataclass(frozen=True, slots=True)
class WindowKind:
    """All that the engine knows of one kind of windows; each function takes the compiled step.

    `declared` is the class of its windows in `api/windows.py`. `store_format` gets the codec of the
    accumulators. `compose` returns the stage, and adds a trigger to the time context if windows become due
    in event time; then `due_times` says when. `open_state` is what a test would compare of the state of a
    key: what is open, without the bookkeeping around it.
    """

    declared: type[Windows]
    store_format: Callable[[Window, Codec], StoreFormat]
    compose: Callable[[Window, Access, TimeContext, Emit], Emit]
    open_state: Callable[[Window, Any], Any]
    due_times: Callable[[Window], DueTimes] | None = None


class DueWindow(NamedTuple):
    """A window that is due, to be fired by itself; if it fails, it is the record that becomes a dead letter.

    Its value is everything that the key holds, as it is stored; `at` is the offset that made it due.
    """

    trigger: WindowTrigger
    due: int
    of_key: bytes
    at: int

    @property
    def stage(self) -> str:
        return self.trigger.name

    def fire(self) -> None:
        self.trigger.fire(self.due, self.of_key)

    def discard(self) -> None:
        self.trigger.discard(self.due, self.of_key)

    def value(self) -> bytes | None:
        return self.trigger.timers.current(self.of_key)

    def key(self) -> bytes:
        return self.of_key

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return Moment(self.due - self.trigger.timers.delay - 1).timestamp()

    def headers(self) -> None:
        return None
