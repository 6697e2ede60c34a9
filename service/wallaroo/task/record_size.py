"""Record sizes: how large a record may be for its topic, and how dead letters are made to fit.

Rules for whoever edits this file:
1. A size is never less than Kafka's for the same record in a batch of its own, or a record would be refused
   for ever; it is counted before compression, so it may be more.
2. Nothing is measured before Kafka has refused a record: compressed, it may well be small enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallaroo.errors import RecordError
from wallaroo.record import Batch, Output

# A batch and its one record, with every number in them as long as it can be.
_RECORD_BYTES = 61 + 36
_HEADER_BYTES = 10
_HEADERS_AT = 7


@dataclass(frozen=True, slots=True)
class RecordSizeLimits:
    """The largest record that each topic takes, and the largest that the producer sends; bytes."""

    producer: int
    topics: Mapping[str, int]

    def of(self, topic: str) -> int:
        return min(self.topics.get(topic, self.producer), self.producer)

    def are_exceeded(self, batch: Batch) -> bool:
        """Whether any single record of a batch is too large."""
        return any(size(output) > self.of(output[0]) for output in batch.outputs) or any(
            size((changes.topic, value, key)) > self.of(changes.topic)
            for changes in batch.changes
            for key, value in changes.values.items()
        )

    def check(self, output: Output) -> None:
        """Raise RecordError if the record is too large."""
        topic, found = output[0], size(output)
        limit = self.of(topic)
        if found > limit:
            raised = "max.message.bytes of the topic" if limit < self.producer else "max_message_bytes"
            raise RecordError(
                f"a record of {found} bytes for {topic}, which takes {limit}: "
                f"make it smaller, or raise {raised}"
            )


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

    Its value is cut first, then its key; if that is not enough, only headers that begin with `reasons` stay.
    """
    if size(letter) <= limit:
        return letter
    topic, value, key, *rest, headers = letter
    notice = f"cut to fit in {limit} bytes: the value had {len(value or b'')}, the key {len(key or b'')}"
    headers = [*headers, (reasons + "truncated", notice.encode())]
    if size((topic, None, None, *rest, headers)) > limit:
        headers = [header for header in headers if header[0].startswith(reasons)]
    room = max(0, limit - size((topic, None, None, *rest, headers)))
    key = key and key[:room]
    value = value and value[: room - len(key or b"")]
    return (topic, value, key, *rest, headers)
