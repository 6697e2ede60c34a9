"""Columns: a slice goes through a sub-topology column by column, as far as no stage can tell.

Rules for whoever edits this file:
1. Decoding, keys and the way into a repartition topic go by columns. From the first stage on that computes,
   a record goes all the way before the next one sets out: a stage may hand on what the next record changes.
2. Where a column fails nothing has been done yet; then the records go one by one, up to the one to blame.
3. The last record taken from `left` is the one that is being worked on.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

from wallaroo.record import Emit, RawRecord
from wallaroo.serde.object_codec import TopicCodec
from wallaroo.task.context import RepartitionWriter, TaskContext
from wallaroo.task.keys import extracted_keys
from wallaroo.topology.model import CheckKey, Repartition, SubTopology

Extract = Callable[[Any], Any]
# (values, keys, left): what a slice holds, decoded, and its records.
BatchEmit = Callable[[Sequence[Any], Sequence[bytes | None], Iterator[RawRecord]], None]


def each_by_itself(emit: Emit) -> BatchEmit:
    """One record after the other."""

    def process(values: Sequence[Any], keys: Sequence[bytes | None], left: Iterator[RawRecord]) -> None:
        for value, key, record in zip(values, keys, left, strict=True):
            emit(value, key, record)

    return process


def in_columns(sub_topology: SubTopology, wiring: TaskContext, emits: Sequence[Emit]) -> BatchEmit:
    """The way of a slice; `emits[n]` takes one record through the steps from n on, and to every target."""
    match sub_topology.steps, sub_topology.targets:
        case [CheckKey(name, extract), *_], _:
            return _check_keys(name, extract, each_by_itself(emits[1]), each_by_itself(emits[0]))
        case [], [Repartition(name, extract=extract)] if wiring.hop and extract and not wiring.lane.reports:
            return _repartition(name, extract, wiring.hop, wiring.values, each_by_itself(emits[0]))
    return each_by_itself(emits[0])


def _check_keys(name: str, extract: Extract, checked: BatchEmit, checking: BatchEmit) -> BatchEmit:
    def process(values: Sequence[Any], keys: Sequence[bytes | None], left: Iterator[RawRecord]) -> None:
        try:
            as_they_should_be = extracted_keys(name, extract, values) == keys
        except Exception:  # whatever the user's extractor raises
            as_they_should_be = False
        (checked if as_they_should_be else checking)(values, keys, left)

    return process


def _repartition(
    name: str, extract: Extract, hop: RepartitionWriter, codec: TopicCodec, one_by_one: BatchEmit
) -> BatchEmit:
    to, partitions = hop.send, len(hop.send)

    def process(values: Sequence[Any], keys: Sequence[bytes | None], left: Iterator[RawRecord]) -> None:
        try:
            made, new_keys = codec.encode_all(values), extracted_keys(name, extract, values)
        except Exception:  # whatever the user's extractor raises, or pickling
            one_by_one(values, keys, left)
            return
        for value, key, record in zip(made, new_keys, left, strict=True):
            to[crc32(key) % partitions]((value, key, record.timestamp()[1]))

    return process
