"""What an encoder may return, as the parts of an output record; RecordError for what is malformed."""

from collections.abc import Iterable, Mapping
from typing import Any

from wallaroo.api.context import Headers
from wallaroo.api.output import Output
from wallaroo.errors import RecordError
from wallaroo.record import ANY_PARTITION, CHOSEN_PARTITION, NANOSECONDS_PER_MS, Append, Emit, Origin
from wallaroo.task.record_context import HeadersOf

_PAIR = 2
_MOST_PARTITIONS = 2**31
_LATEST = 2**63

# What an encoder returns; in record.py, an Output is a record to be written.
EncoderOutput = Output
# (value, key, partition, milliseconds, headers)
Parts = tuple[bytes | None, bytes | None, int, int, Headers]


def write_to_topic(
    name: str, topic: str, partitions: int | None, append: Append, carried: HeadersOf | None
) -> Emit:
    """Write what an encoder returned, whatever its form, with the headers that are carried, if any."""

    def write_output(encoded: Any, key: bytes | None, origin: Origin) -> None:
        if encoded is None:
            return
        data, key, partition, ms, own = parts_of(name, encoded, key, origin, (topic, partitions))
        headers = merged(carried(origin), own) if carried is not None else list(own)
        append((topic, data, key, partition, None, None, ms, *([headers] if headers else ())))

    return write_output


def parts_of(
    name: str, encoded: Any, key: bytes | None, origin: Origin, topic: tuple[str, int | None]
) -> Parts:
    """The parts of what an encoder returned; `topic` has a name, and as many partitions if that is known."""
    if type(encoded) is Output:
        return _parts_of_output(name, encoded, key, origin, topic)
    partition = ANY_PARTITION
    if type(encoded) is tuple:
        encoded, key, partition = with_key(name, encoded, *topic)
    return to_bytes(name, encoded), key, partition, origin.timestamp()[1], ()


def _parts_of_output(
    name: str, output: Output, key: bytes | None, origin: Origin, topic: tuple[str, int | None]
) -> Parts:
    own_key = key if output.key is None else output.key
    value, own_key, partition = with_key(name, (output.value, own_key, output.partition), *topic)
    at = output.timestamp
    if at is None:
        ms = origin.timestamp()[1]
    elif type(at) is int and 0 <= at < _LATEST:
        # To the client library, 0 means that there is none.
        ms = max(1, at // NANOSECONDS_PER_MS)
    else:
        raise RecordError(
            f"the encoder {name!r} returned an Output with the timestamp {at!r}; give it whole nanoseconds "
            "since the Unix epoch, as an int, or None"
        )
    return to_bytes(name, value), own_key, partition, ms, _own_headers(name, output.headers)


def _own_headers(name: str, given: Any) -> Headers:
    if not given:
        return ()
    pairs = given.items() if isinstance(given, Mapping) else given
    if not isinstance(given, Mapping | list | tuple) or not all(map(_is_header, pairs)):
        raise RecordError(
            f"the encoder {name!r} returned an Output with the headers {given!r}; give it a mapping or a "
            "list of (name, value), where a name is a str, and a value is bytes, str or None"
        )
    return tuple((each, value.encode() if isinstance(value, str) else value) for each, value in pairs)


def _is_header(pair: Any) -> bool:
    return (
        isinstance(pair, tuple | list)
        and len(pair) == _PAIR
        and isinstance(pair[0], str)
        and isinstance(pair[1], bytes | str | None)
    )


def merged(carried: Headers, own: Headers) -> list[tuple[str, bytes | None]]:
    """Carried headers, but for those that an output has itself, and then its own."""
    if not own:
        return list(carried)
    names = {name for name, _ in own}
    return [*(header for header in carried if header[0] not in names), *own]


def outbox_headers(chosen: int, headers: Iterable[tuple[str, bytes | None]]) -> tuple[Any, ...]:
    """The end of a record in the outbox of another cluster: a header of ours, and behind it the output's."""
    partition = b"" if chosen == ANY_PARTITION else str(chosen).encode()
    others = list(headers)
    return ([(CHOSEN_PARTITION, partition), *others],) if partition or others else ()


def value_alone(name: str, output: Output) -> Any:
    """The value for a receiver that gets nothing else."""
    if output.value is None or output != Output(output.value):
        raise RecordError(
            f"the encoder {name!r} returned {output!r} for a TCP sink, which writes a value and nothing "
            "else; return bytes, str or an Output with a value alone"
        )
    return output.value


def with_key(
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
            "(value, key, partition), or a wallaroo.Output"
        )
    if not ANY_PARTITION <= chosen < (_MOST_PARTITIONS if partitions is None else partitions):
        known = "" if partitions is None else f", which has {partitions}"
        raise RecordError(
            f"the encoder {name!r} chose partition {chosen} of {topic}{known}; return one it has, or None"
        )
    return value, key, chosen


def to_bytes(name: str, encoded: Any) -> bytes | None:
    """An encoder's value, str as UTF-8."""
    match encoded:
        case str():
            return encoded.encode()
        case bytes() | None:
            return encoded
    raise RecordError(
        f"the encoder {name!r} returned a {type(encoded).__name__} as value; return bytes or str"
    )
