"""Sizes: how large a record of a topic may be, and which results are larger.

Rules for whoever edits this file:
1. A size is never less than what Kafka finds for the same record in a batch of its own, or a record would be
   refused for ever; it is counted before compression, so it may be more.
2. Nothing is weighed before Kafka has refused something: compressed, it may well be small enough.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallaroo.errors import RecordError
from wallaroo.record import Batch, Output
from wallaroo.state.store import KeyedStore
from wallaroo.task.context import StageError
from wallaroo.topology.model import SubTopology

# Of a batch and of the one record in it, with every number in it as long as can be.
_RECORD_BYTES = 61 + 36
_HEADER_BYTES = 10
_HEADERS_AT = 7

Headers = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What each topic takes, and what the producer takes for any of them."""

    producer: int
    topics: Mapping[str, int]

    def of(self, topic: str) -> int:
        return min(self.topics.get(topic, self.producer), self.producer)

    def are_exceeded(self, batch: Batch) -> bool:
        """Whether a single record of it is larger than may be."""
        return any(size(output) > self.of(output[0]) for output in batch.outputs) or any(
            size((changes.topic, value, key)) > self.of(changes.topic)
            for changes in batch.changes
            for key, value in changes.values.items()
        )

    def check(self, output: Output) -> None:
        """RecordError where it is larger than may be."""
        topic, found = output[0], size(output)
        limit = self.of(topic)
        if found > limit:
            raised = "max.message.bytes of the topic" if limit < self.producer else "max_message_bytes"
            raise RecordError(
                f"a record of {found} bytes for {topic}, which takes {limit}: "
                f"make it smaller, or raise {raised}"
            )


class SizeCheck:
    """Weighs what one record has made of the outbox and the stores of its task."""

    def __init__(self, sub: SubTopology, limits: Limits) -> None:
        self._limits = limits
        self._changelogs = {store.name: store.changelog for store in sub.stores}
        self._stages = {target.topic: target.name for target in sub.targets}
        self._stages |= {self._changelogs[store]: stage for store, stage in sub.stages.items()}

    def weigh(self, outputs: Iterable[Output], stores: Iterable[KeyedStore]) -> None:
        """StageError, with the name of the sink or of the stage whose state it is, for what is too large."""
        for output in outputs:
            self._check(output)
        for store in stores:
            changelog = self._changelogs[store.name]
            for key in store.touched:
                current = store.current(key)
                if current != store.get(key):
                    self._check((changelog, current, key))

    def _check(self, output: Output) -> None:
        try:
            self._limits.check(output)
        except RecordError as error:
            raise StageError(self._stages.get(output[0], output[0])) from error


def size(output: Output) -> int:
    """The most bytes that Kafka can find in it."""
    headers: Headers = output[_HEADERS_AT] if len(output) > _HEADERS_AT else ()
    return (
        _RECORD_BYTES
        + len(output[1] or b"")
        + len(output[2] or b"")
        + sum(_HEADER_BYTES + len(name.encode()) + len(value or b"") for name, value in headers)
    )


def shortened(letter: Output, limit: int, reasons: str) -> Output:
    """A dead letter cut down to a limit, and a header that says so.

    Its value is cut first, then its key; if that is not enough, only headers that begin with `reasons` stay.
    """
    if size(letter) <= limit:
        return letter
    topic, value, key, *rest, headers = letter
    told = f"cut to fit in {limit} bytes: the value had {len(value or b'')}, the key {len(key or b'')}"
    headers = [*headers, (reasons + "truncated", told.encode())]
    if size((topic, None, None, *rest, headers)) > limit:
        headers = [header for header in headers if header[0].startswith(reasons)]
    room = max(0, limit - size((topic, None, None, *rest, headers)))
    key = key and key[:room]
    value = value and value[: room - len(key or b"")]
    return (topic, value, key, *rest, headers)
