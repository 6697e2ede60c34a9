"""Record sizes: how large a record is to Kafka, and how dead letters are made to fit.

A size is never less than Kafka's for the same record in a batch of its own, or a record would be refused for
ever; it is counted before compression, so it may be more.
"""

from collections.abc import Sequence
from typing import Any

from wallaroo.record import Output

# A batch and its one record, with every number in them as long as it can be.
_RECORD_BYTES = 61 + 36
_HEADER_BYTES = 10
_HEADERS_AT = 7


def size(output: Output) -> int:
    """The most bytes that Kafka can count for a record."""
    headers: Sequence[tuple[str, Any]] = output[_HEADERS_AT] if len(output) > _HEADERS_AT else ()
    return (
        _RECORD_BYTES
        + len(output[1] or b"")
        + len(output[2] or b"")
        + sum(_HEADER_BYTES + len(name.encode()) + len(value or b"") for name, value in headers)
    )


def shortened(letter: Output, limit: int, reasons: str) -> Output:
    """A dead letter cut down to a limit, with a header that says so.

    Its value is cut first, then its key; if that is not enough, only headers that begin with `reasons` stay,
    and the longest of these are cut.
    """
    if size(letter) <= limit:
        return letter
    topic, value, key, *rest, headers = letter
    notice = f"cut to fit in {limit} bytes: the value had {len(value or b'')}, the key {len(key or b'')}"
    headers = [*headers, (reasons + "truncated", notice.encode())]
    if size((topic, None, None, *rest, headers)) > limit:
        headers = [header for header in headers if header[0].startswith(reasons)]
        headers = _cut(headers, size((topic, None, None, *rest, headers)) - limit)
    room = max(0, limit - size((topic, None, None, *rest, headers)))
    key = key and key[:room]
    value = value and value[: room - len(key or b"")]
    return (topic, value, key, *rest, headers)


def _cut(headers: Sequence[tuple[str, bytes]], excess: int) -> list[tuple[str, bytes]]:
    """Take so many bytes off the values, the longest first."""
    cut = dict(headers)
    for name, value in sorted(headers, key=lambda header: -len(header[1])):
        taken = max(0, min(excess, len(value)))
        cut[name] = value[: len(value) - taken]
        excess -= taken
    return list(cut.items())
