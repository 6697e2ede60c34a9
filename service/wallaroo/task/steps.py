"""The steps of a sub-topology and the sinks it ends in, as functions that take one record through them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from wallaroo.errors import RecordError
from wallaroo.record import ANY_PARTITION, Emit, Origin
from wallaroo.task.aged import update_aged, update_aged_with_context
from wallaroo.task.context import TaskContext
from wallaroo.task.keys import key_bytes, missing_key, partition_of
from wallaroo.task.outputs import (
    EncoderOutput,
    merged,
    outbox_headers,
    parts_of,
    to_bytes,
    value_alone,
    with_key,
    write_to_topic,
)
from wallaroo.task.record_batch import internal_event_time
from wallaroo.task.record_context import (
    Ahead,
    apply_with_context,
    carried_headers,
    event_time_reader,
    extract_with_context,
    output_headers,
    stage_reader,
    update_with_context,
)
from wallaroo.topology import model
from wallaroo.topology.steps import Apply, ApplyMulti, CheckKey, Step, Update, UpdateMulti, Window
from wallaroo.windows.event_time import event_time_of, with_event_time
from wallaroo.windows.kinds import kind_of

_VALUE_AND_KEY = 2

Function = Callable[..., Any]
# Writes a report of the watermark before a record that is late for it, if it has to: windows/control.py.
Precede = Callable[..., None]
Unwindowed = Apply | ApplyMulti | CheckKey | Update | UpdateMulti


def compose(sub_topology: model.SubTopology, context: TaskContext) -> tuple[Emit, Sequence[Emit]]:
    """(emit, emits): `emit` takes a decoded record all the way; `emits[n]` from step n on, to every target.

    In batch mode, `emit` is `emits[0]` unless the input needs something of event time.
    """
    emits = [_fan_out([context.guard(target.name, sink(target, context)) for target in sub_topology.targets])]
    ahead: list[Step] = []
    for step in reversed(sub_topology.steps):
        emits.insert(0, context.guard(step.name, _step(step, context, ahead, emits[0])))
        ahead.insert(0, step)
    timed = with_event_time(sub_topology.input, context.time, internal_event_time, emits[0])
    return context.guard(sub_topology.input.name, timed), emits


def _fan_out(emits: list[Emit]) -> Emit:
    if len(emits) == 1:
        return emits[0]

    def fan_out(value: Any, key: bytes | None, origin: Origin) -> None:
        for emit in emits:
            emit(value, key, origin)

    return fan_out


def _step(step: Step, context: TaskContext, ahead: Ahead, emit: Emit) -> Emit:
    if isinstance(step, Window):
        return kind_of(step).compose(step, context.access(step.store.name), context.time, emit)
    if step.takes_context:
        return _with_context(step, context, ahead, emit)
    return _without_context(step, context, emit)


def _without_context(step: Unwindowed, context: TaskContext, emit: Emit) -> Emit:
    match step:
        case Apply(_, function):
            return _apply(function, emit)
        case ApplyMulti(name, function):
            return _apply(function, emit_each_of(name, emit))
        case Update():
            return _update(step, context, emit)
        case UpdateMulti():
            return _update(step, context, emit_each_of(step.name, emit))
        case CheckKey(name, extract):
            return _check_key(name, extract, emit)


def _with_context(step: Unwindowed, context: TaskContext, ahead: Ahead, emit: Emit) -> Emit:
    reader = stage_reader(step.name, context, ahead)
    if isinstance(step, CheckKey):
        return _check_key_with_context(step.name, extract_with_context(step.extract, reader), emit)
    if isinstance(step, ApplyMulti | UpdateMulti):
        emit = emit_each_of(step.name, emit)
    if isinstance(step, Apply | ApplyMulti):
        return apply_with_context(step.function, reader, emit)
    if step.ttl is not None:
        return update_aged_with_context(step, context, reader, emit)
    reader.end = context.stores[step.store.name].end
    return update_with_context(step.function, context.access(step.store.name), reader, emit)


def emit_each_of(name: str, emit: Emit) -> Emit:
    def emit_each(results: Any, key: bytes | None, origin: Origin) -> None:
        if not isinstance(results, list):
            raise RecordError(f"{name!r} returned {type(results).__name__}; return a list, or None")
        for result in [result for result in results if result is not None]:
            emit(result, key, origin)

    return emit_each


def _apply(function: Function, emit: Emit) -> Emit:
    def apply(value: Any, key: bytes | None, origin: Origin) -> None:
        result = function(value)
        if result is not None:
            emit(result, key, origin)

    return apply


def _update(step: Update | UpdateMulti, context: TaskContext, emit: Emit) -> Emit:
    if step.ttl is not None:
        return update_aged(step, context, emit)
    function, (find, touch) = step.function, context.access(step.store.name)

    def update_state(value: Any, key: Any, origin: Origin) -> None:
        state = find(key)
        if state is None:
            state = touch(key)
        result = function(value, state)
        if result is not None:
            emit(result, key, origin)

    return update_state


def _check_key(name: str, extract: Function, emit: Emit) -> Emit:
    def check_key(value: Any, key: bytes | None, origin: Origin) -> None:
        extracted = key_bytes(name, extract(value))
        if extracted != key:
            raise _wrong_key(name, key, extracted)
        emit(value, key, origin)

    return check_key


def _check_key_with_context(name: str, extract: Function, emit: Emit) -> Emit:
    def check_key(value: Any, key: bytes | None, origin: Origin) -> None:
        extracted = key_bytes(name, extract(value, key, origin))
        if extracted != key:
            raise _wrong_key(name, key, extracted)
        emit(value, key, origin)

    return check_key


def _wrong_key(name: str, key: bytes | None, extracted: bytes) -> RecordError:
    return RecordError(
        f"the record's key is {key!r}, but {name!r} extracts {extracted!r}; the source was declared "
        "partitioned by it: key the records so, or leave partitioned_by out"
    )


def sink(target: model.Target, context: TaskContext) -> Emit:
    """The function that ends a sub-topology in `target`."""
    if target.takes_context:
        return _sink_with_context(target, context)
    match target:
        case model.Repartition():
            return _repartition(target, context)
        case model.ToTopic(name, topic, encode):
            return _topic(name, encode, topic, context, target.headers)
        case model.ToOutbox(name, topic, encode, remote):
            if remote is not None:
                return _remote_topic(target, remote, context)
            return _outbox(name, encode, topic, context)


def _repartition(target: model.Repartition, context: TaskContext) -> Emit:
    precede = None if context.time.reports is None else context.time.reports.precede
    if target.carries:
        return _repartition_with_headers(target, context, precede)
    if precede is not None:
        return _repartition_with_event_time(target, context, precede)
    if target.extract is not None:
        return _repartition_by_extracted_key(target.name, target.extract, target.topic, context)
    return _repartition_by_known_key(target.key, target.topic, context)


def _sink_with_context(target: model.Target, context: TaskContext) -> Emit:
    """Call the function of a target first, and then do what is done without a context."""
    reader = stage_reader(target.name, context, ())
    if not isinstance(target, model.Repartition):
        rest = sink(replace(target, encode=_as_it_is, takes_context=False), context)
        return apply_with_context(target.encode, reader, rest)
    rest = sink(replace(target, extract=None, takes_context=False), context)
    if target.extract is None:
        return rest
    name, extract = target.name, extract_with_context(target.extract, reader)

    def extract_key_first(value: Any, key: bytes | None, origin: Origin) -> None:
        rest(value, key_bytes(name, extract(value, key, origin)), origin)

    return extract_key_first


def _as_it_is(encoded: Any) -> Any:
    return encoded


def _repartition_by_extracted_key(name: str, extract: Function, topic: str, context: TaskContext) -> Emit:
    write, partitions = context.writers[topic].write, context.partitions[topic]
    encode, mark = context.values.encode, context.origins.mark

    def repartition_by_extracted_key(value: Any, _key: bytes | None, origin: Origin) -> None:
        key = key_bytes(name, extract(value))
        write[partition_of(key, partitions)]((encode(value), key, origin.timestamp()[1], mark(origin)))

    return repartition_by_extracted_key


def _repartition_by_known_key(constant: bytes | None, topic: str, context: TaskContext) -> Emit:
    write, partitions = context.writers[topic].write, context.partitions[topic]
    encode, mark = context.values.encode, context.origins.mark

    def repartition_by_known_key(value: Any, key: bytes | None, origin: Origin) -> None:
        known = key if constant is None else constant
        if known is None:
            raise missing_key(topic)
        write[partition_of(known, partitions)]((encode(value), known, origin.timestamp()[1], mark(origin)))

    return repartition_by_known_key


def _repartition_with_event_time(target: model.Repartition, context: TaskContext, precede: Precede) -> Emit:
    """For range windows: the time is in nanoseconds, and a late record is preceded by the watermark."""
    name, topic, extract, constant = target.name, target.topic, target.extract, target.key
    write, write_control = context.writers[topic].write, context.writers[topic].write_control
    partitions, encode = context.partitions[topic], context.values.encode
    mark = context.origins.mark

    def repartition_with_event_time(value: Any, key: bytes | None, origin: Origin) -> None:
        event_time = event_time_of(origin)
        if extract is not None:
            key = key_bytes(name, extract(value))
        elif constant is not None:
            key = constant
        elif key is None:
            raise missing_key(topic)
        partition = partition_of(key, partitions)
        encoded = encode(value)
        precede(partition, event_time, write_control)
        write[partition]((encoded, key, event_time, mark(origin)))

    return repartition_with_event_time


def _repartition_with_headers(
    target: model.Repartition, context: TaskContext, precede: Precede | None
) -> Emit:
    """As for range windows, and with headers of the source's record."""
    name, topic, extract, constant = target.name, target.topic, target.extract, target.key
    write, write_control = context.writers[topic].write, context.writers[topic].write_control
    partitions, encode, mark = context.partitions[topic], context.values.encode, context.origins.mark
    headers, event_time_of_result = (
        carried_headers(target.carries, context.input),
        event_time_reader(context.input),
    )

    def repartition_with_headers(value: Any, key: bytes | None, origin: Origin) -> None:
        if extract is not None:
            key = key_bytes(name, extract(value))
        elif constant is not None:
            key = constant
        elif key is None:
            raise missing_key(topic)
        partition, event_time = partition_of(key, partitions), event_time_of_result(origin)
        encoded = encode(value)
        if precede is not None:
            precede(partition, event_time, write_control)
        write[partition]((encoded, key, event_time, mark(origin), headers(origin)))

    return repartition_with_headers


def _topic(
    name: str, encode: Function, topic: str, context: TaskContext, wanted: model.HeadersOfSources
) -> Emit:
    append, partitions = context.append, context.partitions.get(topic)
    carried = output_headers(wanted, context.input, context.origins)
    write = write_to_topic(name, topic, partitions, append, carried)
    if carried is not None:
        return lambda value, key, origin: write(encode(value), key, origin)

    def send_to_topic(value: Any, key: bytes | None, origin: Origin) -> None:
        encoded = encode(value)
        partition = ANY_PARTITION
        if type(encoded) is tuple:
            if len(encoded) == _VALUE_AND_KEY and type(encoded[1]) is str:
                encoded, key = encoded[0], encoded[1].encode()
            else:
                encoded, key, partition = with_key(name, encoded, topic, partitions)
        elif encoded is None:
            return
        if type(encoded) is not bytes:
            if type(encoded) is EncoderOutput:
                write(encoded, key, origin)
                return
            encoded = to_bytes(name, encoded)
        append((topic, encoded, key, partition, None, None, origin.timestamp()[1]))

    return send_to_topic


def _outbox(name: str, encode: Function, topic: str, context: TaskContext) -> Emit:
    append, own, partitions = context.append, context.partition, context.partitions[topic]

    def send_to_outbox(value: Any, key: bytes | None, origin: Origin) -> None:
        encoded = encode(value)
        if encoded is None:
            return
        if type(encoded) is EncoderOutput:
            encoded = value_alone(name, encoded)
        # Without a key, records of one input partition stay in order among themselves.
        partition = own % partitions if key is None else partition_of(key, partitions)
        append((topic, to_bytes(name, encoded), key, partition, None, None, origin.timestamp()[1]))

    return send_to_outbox


def _remote_topic(target: model.ToOutbox, remote: model.RemoteTopic, context: TaskContext) -> Emit:
    name, topic, encode = target.name, target.topic, target.encode
    append, own, partitions = context.append, context.partition, context.partitions[topic]
    carried = output_headers(target.headers, context.input, context.origins)
    # How many partitions the remote topic has is not known here.
    there = remote.topic, None

    def send_to_remote_topic(value: Any, key: bytes | None, origin: Origin) -> None:
        encoded = encode(value)
        if encoded is None:
            return
        data, key, chosen, ms, headers = parts_of(name, encoded, key, origin, there)
        partition = own % partitions if key is None else partition_of(key, partitions)
        every = headers if carried is None else merged(carried(origin), headers)
        append((topic, data, key, partition, None, None, ms, *outbox_headers(chosen, every)))

    return send_to_remote_topic
