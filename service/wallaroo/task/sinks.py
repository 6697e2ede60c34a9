"""The ends of a sub-topology: what turns a value into a wished-for write."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

from wallaroo.errors import RecordError
from wallaroo.record import ANY_PARTITION, CHOSEN_PARTITION, Emit, Origin
from wallaroo.task.context import Encode, RepartitionWriter, TaskContext
from wallaroo.task.keys import key_bytes, keyless, partition_of
from wallaroo.task.repartition import plain_writer
from wallaroo.task.timed_writer import timed_hop
from wallaroo.topology.model import RemoteTopic, Repartition, Target, ToOutbox, ToTopic

_VALUE_AND_KEY = 2
_MOST_PARTITIONS = 2**31


def target(end: Target, wiring: TaskContext) -> Emit:
    """The function that ends a sub-topology in `end`."""
    match end:
        case Repartition():
            return _to_repartition(end, wiring)
        case ToTopic(name, topic, encode):
            return _to_topic(name, encode, topic, wiring)
        case ToOutbox(name, topic, encode, remote):
            if remote is not None:
                return _to_remote_topic(name, encode, topic, remote, wiring)
            return _to_outbox(name, encode, topic, wiring)


def _to_repartition(end: Repartition, wiring: TaskContext) -> Emit:
    topic, reports = end.topic, wiring.lane.reports
    hop = wiring.hop or plain_writer(end, wiring.partitions[topic], wiring.append, wiring.lane)
    encode = wiring.values.encode
    if reports is not None:
        return timed_hop(end, hop, encode, reports)
    if end.extract is not None:
        return _by_extracted_key(end.name, end.extract, hop, encode)
    return _by_known_key(end.key, topic, hop, encode)


def _by_extracted_key(
    name: str, extract: Callable[[Any], Any], hop: RepartitionWriter, encode: Encode
) -> Emit:
    to, partitions = hop.send, len(hop.send)

    def send(value: Any, _key: bytes | None, origin: Origin) -> None:
        key = extract(value)
        key = key.encode() if type(key) is str else key_bytes(name, key)
        to[crc32(key) % partitions]((encode(value), key, origin.timestamp()[1]))

    return send


def _by_known_key(constant: bytes | None, topic: str, hop: RepartitionWriter, encode: Encode) -> Emit:
    to, partitions = hop.send, len(hop.send)

    def send(value: Any, key: bytes | None, origin: Origin) -> None:
        known = key if constant is None else constant
        if known is None:
            raise keyless(topic)
        to[partition_of(known, partitions)]((encode(value), known, origin.timestamp()[1]))

    return send


def _to_topic(name: str, encode: Callable[[Any], Any], topic: str, wiring: TaskContext) -> Emit:
    append, partitions = wiring.append, wiring.partitions.get(topic)

    def send(value: Any, key: bytes | None, origin: Origin) -> None:
        made = encode(value)
        partition = ANY_PARTITION
        if type(made) is tuple:
            made, key, partition = _addressed(name, made, topic, partitions)
        elif made is None:
            return
        if type(made) is not bytes:
            made = _text(name, made)
        append((topic, made, key, partition, None, None, origin.timestamp()[1]))

    return send


def _addressed(
    name: str, made: tuple[Any, ...], topic: str, partitions: int | None
) -> tuple[Any, bytes | None, int]:
    """An encoder's (value, key) or (value, key, partition), where key and partition may be None."""
    if len(made) == _VALUE_AND_KEY and type(made[1]) is str:
        return made[0], made[1].encode(), ANY_PARTITION
    value, key, *partition = made if len(made) > 1 else (made, made)
    if isinstance(key, str):
        key = key.encode()
    chosen = partition[0] if partition and partition[0] is not None else ANY_PARTITION
    if len(partition) > 1 or not isinstance(key, bytes | None) or not isinstance(chosen, int):
        raise RecordError(
            f"the encoder {name!r} returned {made!r}; return bytes, str, (value, key) or "
            "(value, key, partition)"
        )
    if not ANY_PARTITION <= chosen < (_MOST_PARTITIONS if partitions is None else partitions):
        known = "" if partitions is None else f", which has {partitions}"
        raise RecordError(
            f"the encoder {name!r} chose partition {chosen} of {topic}{known}; return one it has, or None"
        )
    return value, key, chosen


def _to_outbox(name: str, encode: Callable[[Any], Any], topic: str, wiring: TaskContext) -> Emit:
    append, own, partitions = wiring.append, wiring.partition, wiring.partitions[topic]

    def send(value: Any, key: bytes | None, origin: Origin) -> None:
        made = encode(value)
        if made is None:
            return
        # Without a key, records of one input partition stay in order among themselves.
        partition = own % partitions if key is None else partition_of(key, partitions)
        append((topic, _text(name, made), key, partition, None, None, origin.timestamp()[1]))

    return send


def _to_remote_topic(
    name: str, encode: Callable[[Any], Any], topic: str, remote: RemoteTopic, wiring: TaskContext
) -> Emit:
    append, own, partitions = wiring.append, wiring.partition, wiring.partitions[topic]

    def send(value: Any, key: bytes | None, origin: Origin) -> None:
        made, chosen = encode(value), ANY_PARTITION
        if type(made) is tuple:
            made, key, chosen = _addressed(name, made, remote.topic, None)
        elif made is None:
            return
        partition = own % partitions if key is None else partition_of(key, partitions)
        # How many partitions there are over there is not known here.
        header = () if chosen == ANY_PARTITION else ([(CHOSEN_PARTITION, str(chosen).encode())],)
        append((topic, _text(name, made), key, partition, None, None, origin.timestamp()[1], *header))

    return send


def _text(name: str, made: Any) -> bytes | None:
    match made:
        case str():
            return made.encode()
        case bytes() | None:
            return made
    raise RecordError(f"the encoder {name!r} returned a {type(made).__name__} as value; return bytes or str")
