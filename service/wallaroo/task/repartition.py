"""BatchingWriter: what a slice sends to one partition of a repartition topic goes into few Kafka records.

Rules for whoever edits this file:
1. Nothing waits for a pack to fill: whatever is open is closed at the end of the slice that has opened it.
2. Within a partition everything stays in order: before a control record goes out, what is open is closed.
3. A pack is never larger than its topic takes. What finds no other to go with is a record by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from wallaroo.record import Output
from wallaroo.task.application_context import ApplicationContext
from wallaroo.task.context import RepartitionWriter
from wallaroo.task.record_batch import MILLISECONDS, NANOSECONDS, Entry, Form, encode_pack
from wallaroo.task.record_size import size
from wallaroo.topology.model import Repartition, SubTopology
from wallaroo.windows.stage import TimeContext

# Larger ones save next to nothing more. A pack is the least that its reader can commit, however slow it is.
_LARGEST_PACK = 64_000
_MOST_RECORDS = 100

Append = Callable[[Output], None]


class PlainWriter:
    """A way into a repartition topic on which every entry is a record at once."""

    def __init__(self, topic: str, partitions: int, form: Form, append: Append) -> None:
        self.send: Sequence[Callable[[Entry], None]] = [
            partial(_append_one, append, topic, number, form) for number in range(partitions)
        ]
        self._append = append

    def control(self, output: Output) -> None:
        self._append(output)


class BatchingWriter:
    """A way on which entries become packs; `room` says what topics take, as far as that is known."""

    def __init__(
        self, topic: str, partitions: int, form: Form, append: Append, room: Mapping[str, int]
    ) -> None:
        self._open: list[list[Entry]] = [[] for _ in range(partitions)]
        self.send: Sequence[Callable[[Entry], None]] = [entries.append for entries in self._open]
        self._topic = topic
        self._form = form
        self._append = append
        self._room = room
        self._saved = 0

    def control(self, output: Output) -> None:
        self._close(output[3])
        self._append(output)

    def close(self) -> None:
        """The slice is over."""
        for partition, entries in enumerate(self._open):
            if entries:
                self._close(partition)

    def clear(self) -> None:
        """Nothing has been sent after all."""
        for entries in self._open:
            entries.clear()
        self._saved = 0

    def take_saved(self) -> dict[str, int]:
        """How many records fewer than entries there have been since the last call, by topic."""
        saved, self._saved = self._saved, 0
        return {self._topic: saved} if saved else {}

    def _close(self, partition: int) -> None:
        entries = self._open[partition]
        most_bytes = min(_LARGEST_PACK, self._room.get(self._topic, _LARGEST_PACK))
        for start in range(0, len(entries), _MOST_RECORDS):
            self._write(partition, entries[start : start + _MOST_RECORDS], most_bytes)
        entries.clear()

    def _write(self, partition: int, entries: Sequence[Entry], most_bytes: int) -> None:
        if len(entries) == 1:
            _append_one(self._append, self._topic, partition, self._form, entries[0])
        elif entries:
            self._write_some(partition, entries, most_bytes)

    def _write_some(self, partition: int, entries: Sequence[Entry], most_bytes: int) -> None:
        pack = self._pack(partition, entries, most_bytes)
        if pack is None:
            half = len(entries) // 2
            self._write(partition, entries[:half], most_bytes)
            self._write(partition, entries[half:], most_bytes)
        else:
            self._append(pack)
            self._saved += len(entries) - 1

    def _pack(self, partition: int, entries: Sequence[Entry], most_bytes: int) -> Output | None:
        """None where it would be too large; what is so by its values alone is not put together first."""
        if sum([len(value) for value, _, _ in entries]) > most_bytes:
            return None
        (first, *_) = self._form.ending(entries[0][2])
        pack = (self._topic, encode_pack(self._form, entries), None, partition, None, None, first)
        return pack if size(pack) <= most_bytes else None


def plain_writer(end: Repartition, partitions: int, append: Append, lane: TimeContext) -> RepartitionWriter:
    """The way into a topic without packs."""
    return PlainWriter(end.topic, partitions, _form(lane), append)


def batching_writer(
    sub: SubTopology, application_context: ApplicationContext, append: Append, lane: TimeContext
) -> BatchingWriter:
    """That of a task; there is nothing to pack where no target is a repartition topic."""
    for target in sub.targets:
        if isinstance(target, Repartition):
            partitions = application_context.partitions[target.topic]
            return BatchingWriter(target.topic, partitions, _form(lane), append, application_context.room)
    return BatchingWriter("", 0, _form(lane), append, {})


def _append_one(append: Append, topic: str, partition: int, form: Form, entry: Entry) -> None:
    value, key, time = entry
    append((topic, value, key, partition, None, None, *form.ending(time)))


def _form(lane: TimeContext) -> Form:
    """What leads to windows keeps its time to the nanosecond."""
    return MILLISECONDS if lane.reports is None else NANOSECONDS
