"""What a context is asked: the event time, headers and source of a record, as the origin of its result says.

Rules for whoever edits this file:
1. Only a function that takes a context costs anything: the others are composed without this file.
2. An answer is the same in front of a hop and behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wallaroo.api.context import Context, Headers
from wallaroo.record import Emit, Moment, Origin, RawRecord
from wallaroo.state.store import Access
from wallaroo.task.context import TaskContext
from wallaroo.task.origin import Origins, Source
from wallaroo.task.record_batch import CarryingRecord, internal_event_time
from wallaroo.topology.model import Carried, HeadersOfSources, Input, SubTopology
from wallaroo.topology.steps import Step, Window
from wallaroo.windows.event_time import event_time_of
from wallaroo.windows.watermark import NEVER

Function = Callable[..., Any]
HeadersOf = Callable[[Origin], Headers]


# The steps behind a stage in its sub-topology.
Ahead = Sequence[Step]


class StageReader:
    """Answers for one stage of one task; `clock` has the watermark of the stage, if there is one.

    `end` deletes the state of a key, if the stage keeps one.
    """

    end: Callable[[bytes], None] | None = None

    def __init__(self, what: str, context: TaskContext, clock: Any) -> None:
        self.what = what
        self.event_time: Callable[[Any], int] = event_time_reader(context.input)
        self.headers: HeadersOf = headers_reader(context.input)
        self._origins = context.origins
        self._clock = clock

    def source(self, origin: Any) -> Source | None:
        record = _record_of(origin)
        return None if record is None else self._origins.source(record)

    def watermark(self) -> int | None:
        if self._clock is None or self._clock.watermark <= NEVER:
            return None
        watermark: int = self._clock.watermark
        return watermark

    def final(self, origin: Any) -> bool:
        is_final: bool = getattr(origin, "final", True)
        return is_final


def stage_reader(stage: str, context: TaskContext, ahead: Ahead) -> StageReader:
    """The reader of a stage with these steps behind it in its sub-topology.

    Its watermark is that of the next windows: what the windows before it still hold back may yet come.
    """
    timers = (context.time.timers.get(step.store.name) for step in ahead if isinstance(step, Window))
    clock = next((each for each in timers if each is not None), context.time.output)
    return StageReader(f"the stage {stage!r}", context, clock)


def record_decoder(sub: SubTopology, context: TaskContext) -> Callable[[RawRecord], Any]:
    """The decoder of an input as a function of the record, which may give it a context."""
    decode = sub.input.decode or context.values.decode
    if not sub.input.takes_context:
        return lambda record: decode(record.value())
    reader = stage_reader(sub.input.name, context, sub.steps)
    return _decode_with_context(decode, reader)


def _record_of(origin: Any) -> Any:
    """The record that a result came from; None for that of a window over time."""
    return origin.record if isinstance(origin, Moment) else origin


def event_time_reader(read: Input) -> Callable[[Any], int]:
    """How to read the event time of a result, in nanoseconds, in a task that reads this input."""
    if read.is_source:
        return event_time_of

    def event_time(origin: Any) -> int:
        return origin.event_time if isinstance(origin, Moment) else internal_event_time(None, origin)

    return event_time


def headers_reader(read: Input) -> HeadersOf:
    """How to read the headers of the source's record."""
    return _headers_of_source if read.is_source else _carried_headers


def _headers_of_source(origin: Any) -> Headers:
    record = _record_of(origin)
    return () if record is None else tuple(record.headers() or ())


def _carried_headers(origin: Any) -> Headers:
    record = _record_of(origin)
    # Where headers were not carried when it was written, it has none.
    return record.carried if type(record) is CarryingRecord else ()


def carried_headers(carries: Carried, read: Input) -> HeadersOf:
    """The headers that a result takes along to a repartition topic."""
    headers = headers_reader(read)
    if carries == "all":
        return headers
    names = frozenset(carries)
    return lambda origin: tuple(header for header in headers(origin) if header[0] in names)


def output_headers(wanted: HeadersOfSources, read: Input, origins: Origins) -> HeadersOf | None:
    """The headers that an output has from the record of the source, each source having names of its own."""
    if not wanted:
        return None
    if len({names for _, names in wanted}) == 1:
        return carried_headers(wanted[0][1], read)
    headers, names_of = headers_reader(read), {topic: frozenset(names) for topic, names in wanted}
    return lambda origin: _of_its_source(headers(origin), names_of, origins, origin)


def _of_its_source(
    headers: Headers, names_of: Mapping[str, frozenset[str]], origins: Origins, origin: Any
) -> Headers:
    source = origins.source(_record_of(origin)) if headers else None
    if source is None:
        return ()
    names = names_of.get(source.topic, frozenset())
    return tuple(header for header in headers if header[0] in names)


def _decode_with_context(decode: Function, reader: StageReader) -> Callable[[RawRecord], Any]:
    """A decoder that takes a context, as a function of the record."""

    def decode_record(record: Any) -> Any:
        context = Context(record.key(), record, reader)
        try:
            return decode(record.value(), context)
        finally:
            context._origin = None  # noqa: SLF001 - it ends here

    return decode_record


def extract_with_context(extract: Function, reader: StageReader) -> Callable[[Any, bytes | None, Any], Any]:
    """A key extractor that takes a context, as a function of value, key and origin."""

    def extract_key(value: Any, key: bytes | None, origin: Any) -> Any:
        context = Context(key, origin, reader)
        try:
            return extract(value, context)
        finally:
            context._origin = None  # noqa: SLF001 - it ends here

    return extract_key


def apply_with_context(function: Function, reader: StageReader, emit: Emit) -> Emit:
    """A stage without state, or an encoder."""

    def apply_to_record(value: Any, key: bytes | None, origin: Any) -> None:
        context = Context(key, origin, reader)
        try:
            result = function(value, context)
        finally:
            context._origin = None  # noqa: SLF001 - it ends here
        if result is not None:
            emit(result, key, origin)

    return apply_to_record


def update_with_context(function: Function, access: Access, reader: StageReader, emit: Emit) -> Emit:
    """A stage with state."""
    find, touch = access

    def update_of_record(value: Any, key: Any, origin: Any) -> None:
        state = find(key)
        if state is None:
            state = touch(key)
        context = Context(key, origin, reader)
        try:
            result = function(value, state, context)
        finally:
            context._origin = None  # noqa: SLF001 - it ends here
        if result is not None:
            emit(result, key, origin)

    return update_of_record
