"""Control records: how a task reports its watermark to the partitions of a repartition topic.

    2C<idle><watermark><position><upstream>     without a key; the watermark in nanoseconds, big-endian

The position says where an idle task had read its input to the end; 1C had none.

Rules for whoever edits this file:
1. A report follows all records that it covers, in the same transaction: at most one per partition and
   commit.
2. The exception is a record so far out of order that a window has ended between its time and the watermark:
   the report goes in front of it. So a record that is late before the repartition topic is late behind it,
   too, wherever commits fall.
"""

from collections.abc import Callable, Iterable
from struct import Struct

from wallaroo.errors import StoredValueError
from wallaroo.record import Append, Output
from wallaroo.serde.formats import CONTROL, CONTROL_1
from wallaroo.windows.watermark import NEVER, UNKNOWN, OutputWatermark, WatermarkStatus

_header = Struct(">2s?qq")
_header_1 = Struct(">2s?q")


def upstream_id(sub_topology: str, partition: int) -> str:
    """The name of an upstream task in its reports."""
    return f"{sub_topology}/{partition}"


def is_control(key: bytes | None, value: bytes | None) -> bool:
    """Whether a record of an internal topic is a control record."""
    return key is None and value is not None and value[:2] in (CONTROL, CONTROL_1)


def encode_report(upstream: str, status: WatermarkStatus) -> bytes:
    return _header.pack(CONTROL, status.idle, status.watermark, status.position) + upstream.encode()


def decode_report(value: bytes) -> tuple[str, WatermarkStatus]:
    """The upstream and its status; StoredValueError if `encode_report` has never made such bytes."""
    header = {CONTROL: _header, CONTROL_1: _header_1}.get(value[:2])
    if header is None or len(value) <= header.size or value[2] > 1:
        raise StoredValueError(f"a control record cannot be read: {value[:80]!r}")
    _, idle, watermark, *rest = header.unpack_from(value)
    position = rest[0] if rest else UNKNOWN
    if position < UNKNOWN:
        raise StoredValueError(f"a control record contradicts itself: {value[:80]!r}")
    try:
        return value[header.size :].decode(), WatermarkStatus(watermark, idle, position)
    except UnicodeDecodeError as error:
        raise StoredValueError(f"a control record names no upstream: {value[:80]!r}") from error


class WatermarkReports:
    """Sends the reports of one task to a topic that leads to windows.

    `output` is the watermark of the task's results before the current record;
    `has_missed(event_time, watermark)` says of those windows whether one that covers a moment is past due.
    `every` is how far the wall clock moves a watermark between two reports, in nanoseconds.
    """

    def __init__(
        self,
        upstream: str,
        topic: str,
        partitions: int,
        has_missed: Callable[[int, int], bool],
        output: OutputWatermark,
        every: int,
    ) -> None:
        self.every = every
        self._count = 0
        self._upstream = upstream
        self._topic = topic
        self.has_missed = has_missed
        self._output = output
        self._sent = [NEVER] * partitions

    def precede(self, partition: int, event_time: int, append: Append) -> None:
        """Put a report in front of a record for that partition if the record is far out of order."""
        watermark = self._output.watermark
        if event_time >= watermark or self._sent[partition] >= watermark:
            return
        if self.has_missed(event_time, watermark):
            self._send_to(partition, WatermarkStatus(watermark, idle=False), append)

    def send_watermark(self, status: WatermarkStatus, append: Append) -> None:
        """Send a report to every partition."""
        for partition in range(len(self._sent)):
            self._send_to(partition, status, append)

    def take_count(self) -> dict[str, int]:
        """How many reports there were since the last call, by topic."""
        count, self._count = self._count, 0
        return {self._topic: count} if count else {}

    def withdraw(self, outputs: Iterable[Output]) -> None:
        """Forget the reports among outputs that will not be written after all."""
        for topic, value, key, partition, *_ in outputs:
            if topic == self._topic and is_control(key, value):
                self._count -= 1
                self._sent[partition] = NEVER

    def restore(self) -> None:
        """Reset to the last commit, at which `output` was what it is now."""
        self._count = 0
        self._sent = [clamp(self._output.watermark)] * len(self._sent)

    def _send_to(self, partition: int, status: WatermarkStatus, append: Append) -> None:
        self._sent[partition] = status.watermark
        self._count += 1
        append((self._topic, encode_report(self._upstream, status), None, partition))


def clamp(watermark: int) -> int:
    """A watermark less some delays, within the 64 bits of a report."""
    return max(NEVER, watermark)
