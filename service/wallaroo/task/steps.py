"""The steps of a sub-topology and the sinks it ends in, as functions that take one record through them."""

from collections.abc import Callable, Sequence
from typing import Any

from wallaroo.errors import RecordError
from wallaroo.record import ANY_PARTITION, CHOSEN_PARTITION, Emit, Origin
from wallaroo.state.store import Access
from wallaroo.task.context import TaskContext
from wallaroo.task.keys import key_bytes, missing_key, partition_of
from wallaroo.task.record_batch import internal_event_time
from wallaroo.topology import model
from wallaroo.topology.steps import Apply, ApplyMulti, CheckKey, Step, Update, UpdateMulti
from wallaroo.windows.control import WatermarkReports
from wallaroo.windows.event_time import event_time_of, with_event_time
from wallaroo.windows.kinds import kind_of

_VALUE_AND_KEY = 2
_MOST_PARTITIONS = 2**31

Function = Callable[..., Any]


def compose(sub_topology: model.SubTopology, context: TaskContext) -> tuple[Emit, Sequence[Emit]]:
    """(emit, emits): `emit` takes a decoded record all the way; `emits[n]` from step n on, to every target.

    In batch mode, `emit` is `emits[0]` unless the input needs something of event time.
    """
    emits = [_fan_out([context.guard(target.name, sink(target, context)) for target in sub_topology.targets])]
    for step in reversed(sub_topology.steps):
        emits.insert(0, context.guard(step.name, _step(step, context, emits[0])))
    timed = with_event_time(sub_topology.input, context.time, internal_event_time, emits[0])
    return context.guard(sub_topology.input.name, timed), emits


def _fan_out(emits: list[Emit]) -> Emit:
    if len(emits) == 1:
        return emits[0]

    def fan_out(value: Any, key: bytes | None, origin: Origin) -> None:
        for emit in emits:
            emit(value, key, origin)

    return fan_out


def _step(step: Step, context: TaskContext, emit: Emit) -> Emit:
    match step:
        case Apply(_, function):
            return _apply(function, emit)
        case ApplyMulti(name, function):
            return _apply(function, _emit_each(name, emit))
        case Update(_, function, store):
            return _update_state(function, context.access(store.name), emit)
        case UpdateMulti(name, function, store):
            return _update_state(function, context.access(store.name), _emit_each(name, emit))
        case CheckKey(name, extract):
            return _check_key(name, extract, emit)
        case _:
            return kind_of(step).compose(step, context.access(step.store.name), context.time, emit)


def _emit_each(name: str, emit: Emit) -> Emit:
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


def _update_state(function: Function, access: Access, emit: Emit) -> Emit:
    find, touch = access

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
            raise RecordError(
                f"the record's key is {key!r}, but {name!r} extracts {extracted!r}; the source was declared "
                "partitioned by it: key the records so, or leave partitioned_by out"
            )
        emit(value, key, origin)

    return check_key


def sink(target: model.Target, context: TaskContext) -> Emit:
    """The function that ends a sub-topology in `target`."""
    match target:
        case model.Repartition() if context.time.reports is not None:
            return _repartition_with_event_time(target, context, context.time.reports)
        case model.Repartition(name, topic, extract, key):
            if extract is not None:
                return _repartition_by_extracted_key(name, extract, topic, context)
            return _repartition_by_known_key(key, topic, context)
        case model.ToTopic(name, topic, encode):
            return _topic(name, encode, topic, context)
        case model.ToOutbox(name, topic, encode, remote):
            if remote is not None:
                return _remote_topic(name, encode, topic, remote, context)
            return _outbox(name, encode, topic, context)


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


def _repartition_with_event_time(
    target: model.Repartition, context: TaskContext, reports: WatermarkReports
) -> Emit:
    """For range windows: the time is in nanoseconds, and a late record is preceded by the watermark."""
    name, topic, extract, constant = target.name, target.topic, target.extract, target.key
    write, write_control = context.writers[topic].write, context.writers[topic].write_control
    partitions, encode, precede = context.partitions[topic], context.values.encode, reports.precede
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


def _topic(name: str, encode: Function, topic: str, context: TaskContext) -> Emit:
    append, partitions = context.append, context.partitions.get(topic)

    def send_to_topic(value: Any, key: bytes | None, origin: Origin) -> None:
        encoded = encode(value)
        partition = ANY_PARTITION
        if type(encoded) is tuple:
            if len(encoded) == _VALUE_AND_KEY and type(encoded[1]) is str:
                encoded, key = encoded[0], encoded[1].encode()
            else:
                encoded, key, partition = _with_key(name, encoded, topic, partitions)
        elif encoded is None:
            return
        if type(encoded) is not bytes:
            encoded = _to_bytes(name, encoded)
        append((topic, encoded, key, partition, None, None, origin.timestamp()[1]))

    return send_to_topic


def _outbox(name: str, encode: Function, topic: str, context: TaskContext) -> Emit:
    append, own, partitions = context.append, context.partition, context.partitions[topic]

    def send_to_outbox(value: Any, key: bytes | None, origin: Origin) -> None:
        encoded = encode(value)
        if encoded is None:
            return
        # Without a key, records of one input partition stay in order among themselves.
        partition = own % partitions if key is None else partition_of(key, partitions)
        append((topic, _to_bytes(name, encoded), key, partition, None, None, origin.timestamp()[1]))

    return send_to_outbox


def _remote_topic(
    name: str, encode: Function, topic: str, remote: model.RemoteTopic, context: TaskContext
) -> Emit:
    append, own, partitions = context.append, context.partition, context.partitions[topic]

    def send_to_remote_topic(value: Any, key: bytes | None, origin: Origin) -> None:
        encoded, chosen = encode(value), ANY_PARTITION
        if type(encoded) is tuple:
            # How many partitions the remote topic has is not known here.
            encoded, key, chosen = _with_key(name, encoded, remote.topic, None)
        elif encoded is None:
            return
        partition = own % partitions if key is None else partition_of(key, partitions)
        headers = () if chosen == ANY_PARTITION else ([(CHOSEN_PARTITION, str(chosen).encode())],)
        data = _to_bytes(name, encoded)
        append((topic, data, key, partition, None, None, origin.timestamp()[1], *headers))

    return send_to_remote_topic


def _with_key(
    name: str, encoded: tuple[Any, ...], topic: str, partitions: int | None
) -> tuple[Any, bytes | None, int]:
    """An encoder's (value, key) or (value, key, partition), where key and partition may be None."""
    value, key, *partition = encoded if len(encoded) > 1 else (encoded, encoded)
    if isinstance(key, str):
        key = key.encode()
    chosen = partition[0] if partition and partition[0] is not None else ANY_PARTITION
    if len(partition) > 1 or not isinstance(key, bytes | None) or not isinstance(chosen, int):
        raise RecordError(
            f"the encoder {name!r} returned {encoded!r}; return bytes, str, (value, key) or "
            "(value, key, partition)"
        )
    if not ANY_PARTITION <= chosen < (_MOST_PARTITIONS if partitions is None else partitions):
        known = "" if partitions is None else f", which has {partitions}"
        raise RecordError(
            f"the encoder {name!r} chose partition {chosen} of {topic}{known}; return one it has, or None"
        )
    return value, key, chosen


def _to_bytes(name: str, encoded: Any) -> bytes | None:
    match encoded:
        case str():
            return encoded.encode()
        case bytes() | None:
            return encoded
    raise RecordError(
        f"the encoder {name!r} returned a {type(encoded).__name__} as value; return bytes or str"
    )
