"""Output: everything that an encoder can say of the record that a sink writes."""

from collections.abc import Mapping, Sequence

import msgspec

# (name, value) of each header; a mapping where no name comes twice.
GivenHeaders = Sequence[tuple[str, bytes | str | None]] | Mapping[str, bytes | str | None]


class Output(msgspec.Struct, frozen=True):
    """What an encoder may return for a Kafka sink: a value, and what else the record is to have.

    `value` is bytes, a str (written as UTF-8), or None for a tombstone. `key` is a str or bytes; with None
    the record keeps the key of its message, as for a value alone; only `(value, None)` writes it without one.
    `headers` are pairs of a name and a value, or a mapping; a value is bytes, a str (as UTF-8) or None. They
    are written behind those that `carry_headers` of the source carries, and replace these where names are
    the same. `partition` is one of the topic; None leaves it to the key. `timestamp` is in nanoseconds since
    the Unix epoch, written as whole milliseconds; None is the event time of the message.

    What is malformed makes a dead letter of the record, as does anything but a value for a TCP sink.

    Example:

    >>> @wallaroo.encoder
    ... def encode(alert):
    ...     return wallaroo.Output(alert["text"], key=alert["user"], headers={"kind": "alert"})
    >>> encode.encode({"user": "Rex", "text": "2100"}).headers
    {'kind': 'alert'}
    """

    value: bytes | str | None
    key: str | bytes | None = None
    headers: GivenHeaders | None = None
    partition: int | None = None
    timestamp: int | None = None
