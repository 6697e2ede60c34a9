"""Dead letters, with their reasons in readable form."""

from dataclasses import dataclass
from typing import Self

from wallaroo.testing.logs import Record

_PREFIX = "__streams.errors."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that failed, in which stage and why; `topic`, `partition` and `offset` say where it was."""

    value: bytes | None
    key: bytes | None
    timestamp_ms: int
    stage: str
    exception: str
    message: str
    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, record: Record) -> Self:
        """A record of the dead-letter topic."""
        reasons = {
            name.removeprefix(_PREFIX): value.decode()
            for name, value in record.headers
            if name.startswith(_PREFIX)
        }
        return cls(
            value=record.value,
            key=record.key,
            timestamp_ms=record.timestamp_ms,
            stage=reasons["stage"],
            exception=reasons["exception"],
            message=reasons["message"],
            topic=reasons["topic"],
            partition=int(reasons["partition"]),
            offset=int(reasons["offset"]),
        )
