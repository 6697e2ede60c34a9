"""RepartitionWriter: entries for one partition of a repartition topic share Kafka records.

Rules for whoever edits this file:
1. No entry waits for a batch to fill: open batches are written at the end of the slice that opened them.
2. A partition stays in order: its open batch is written before a control record.
3. A batch is never larger than its topic takes. A single entry is written as a plain record, unless it has
   headers: a batch of one, however large, keeps them apart from our own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wallaroo.record import ARRIVAL_HEADER, Append, Output
from wallaroo.task.origin import CarriedOrigins, Origins, Places, origin_header
from wallaroo.task.record_batch import (
    MILLISECONDS,
    NANOSECONDS,
    WITH_HEADERS,
    BatchFormat,
    Entry,
    encode_batch,
)
from wallaroo.task.record_size import size
from wallaroo.topology.model import Repartition, Target

# Larger batches save next to nothing more. A batch is also the least that a slow reader can commit.
_MAX_BYTES = 64_000
_MAX_ENTRIES = 100


class RepartitionWriter:
    """Writes to one repartition topic; `write[n]` takes an entry for partition n.

    `max_bytes` holds the record size that each topic takes, once it is known.
    """

    def __init__(
        self,
        topic: str,
        partitions: int,
        batch_format: BatchFormat,
        append: Append,
        max_bytes: Mapping[str, int],
        origins: Origins | None = None,
    ) -> None:
        self._origins = origins or CarriedOrigins()
        self._open: list[list[Entry]] = [[] for _ in range(partitions)]
        self.write: Sequence[Callable[[Entry], None]] = [entries.append for entries in self._open]
        # How many Kafka records fewer than entries were written.
        self.saved = 0
        self.topic = topic
        # When what is written next arrived, for a header; None where its time says so.
        self.arrival: bytes | None = None
        self._format = batch_format
        self._append = append
        self._max_bytes = max_bytes

    def write_control(self, output: Output) -> None:
        """Append a control record behind all entries of its partition."""
        self._flush_partition(output[3])
        self._append(output)

    def flush(self) -> None:
        """Append all open entries to the pending outputs."""
        for partition, entries in enumerate(self._open):
            if entries:
                self._flush_partition(partition)

    def discard(self, saved: int) -> None:
        """Drop all open entries, and reset `saved` to its value before those that were taken back."""
        for entries in self._open:
            entries.clear()
        self.saved = saved

    def _flush_partition(self, partition: int) -> None:
        entries = self._open[partition]
        for start in range(0, len(entries), _MAX_ENTRIES):
            self._append_entries(partition, entries[start : start + _MAX_ENTRIES])
        entries.clear()

    def _append_entries(self, partition: int, entries: Sequence[Entry]) -> None:
        if len(entries) == 1 and self._format is not WITH_HEADERS:
            self._append(self._alone(partition, *entries[0]))
            return
        batch = self._batch(partition, entries)
        if batch is not None:
            self._append(batch)
            self.saved += len(entries) - 1
            return
        half = len(entries) // 2
        self._append_entries(partition, entries[:half])
        self._append_entries(partition, entries[half:])

    def _alone(self, partition: int, value: bytes, key: bytes, time: int, mark: Any) -> Output:
        ms, *own = self._format.end_of_output(time)
        headers = [*(own[0] if own else ()), *self._arrival_headers]
        source = self._origins.source_at(mark)
        if source is not None:
            headers.append(origin_header(source))
        return (self.topic, value, key, partition, None, None, ms, *([headers] if headers else ()))

    def _batch(self, partition: int, entries: Sequence[Entry]) -> Output | None:
        """None if it would be too large."""
        max_bytes = min(_MAX_BYTES, self._max_bytes.get(self.topic, _MAX_BYTES))
        is_alone = len(entries) == 1
        if sum([len(entry[0]) for entry in entries]) > max_bytes and not is_alone:
            return None  # without the cost of encoding it
        (timestamp_ms, *_) = self._format.end_of_output(entries[0][2])
        places, coded = self._coded(entries)
        value = encode_batch(self._format, coded, places)
        headers = self._arrival_headers
        end = (timestamp_ms, headers) if headers else (timestamp_ms,)
        batch = (self.topic, value, None, partition, None, None, *end)
        return batch if is_alone or size(batch) <= max_bytes else None

    def _coded(self, entries: Sequence[Entry]) -> tuple[Places, Sequence[Entry]]:
        if self._format is not WITH_HEADERS:
            return self._origins.packed(entries)
        places, coded = self._origins.packed([entry[:-1] for entry in entries])
        return places, [(*code, entry[-1]) for code, entry in zip(coded, entries, strict=True)]

    @property
    def _arrival_headers(self) -> list[tuple[str, bytes]]:
        return [] if self.arrival is None else [(ARRIVAL_HEADER, self.arrival)]


def repartition_writers(
    targets: Iterable[Target],
    append: Append,
    partitions: Mapping[str, int],
    max_bytes: Mapping[str, int],
    origins: Origins | None = None,
) -> dict[str, RepartitionWriter]:
    """A writer for each repartition topic among the targets; times on the way to windows are exact."""
    return {
        target.topic: RepartitionWriter(
            target.topic,
            partitions[target.topic],
            _format_for(target),
            append,
            max_bytes,
            origins,
        )
        for target in targets
        if isinstance(target, Repartition)
    }


def _format_for(target: Repartition) -> BatchFormat:
    if target.carries:
        return WITH_HEADERS
    return NANOSECONDS if target.needs_watermarks else MILLISECONDS
