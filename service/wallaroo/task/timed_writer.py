"""The end of a sub-topology that leads to range windows: records keep their time to the nanosecond."""

from collections.abc import Callable
from typing import Any

from wallaroo.record import Emit, Origin
from wallaroo.task.context import Encode, RepartitionWriter
from wallaroo.task.keys import key_bytes, keyless, partition_of
from wallaroo.topology.model import Repartition
from wallaroo.windows.control import WatermarkReports
from wallaroo.windows.event_time import event_time_of


def timed_hop(end: Repartition, hop: RepartitionWriter, encode: Encode, reports: WatermarkReports) -> Emit:
    """The function that writes to the topic, and tells its partitions how far event time has come."""
    to, control, partitions = hop.send, hop.control, len(hop.send)
    precede, key_of = reports.precede, _key_of(end)

    def send(value: Any, key: bytes | None, origin: Origin) -> None:
        at = event_time_of(origin)
        new_key = key_of(value, key)
        partition = partition_of(new_key, partitions)
        encoded = encode(value)
        precede(partition, at, control)
        to[partition]((encoded, new_key, at))

    return send


def _key_of(end: Repartition) -> Callable[[Any, bytes | None], bytes]:
    name, topic, extract, constant = end.name, end.topic, end.extract, end.key
    if extract is not None:
        return lambda value, _key: key_bytes(name, extract(value))
    if constant is not None:
        return lambda _value, _key: constant

    def same(_value: Any, key: bytes | None) -> bytes:
        if key is None:
            raise keyless(topic)
        return key

    return same
