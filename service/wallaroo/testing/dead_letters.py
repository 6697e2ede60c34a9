"""Dead letters of a driver, with the reasons read from their headers."""

from dataclasses import dataclass
from typing import Self

from wallaroo.testing.logs import Record

_PREFIX = "__streams.errors."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that failed, with its stage and the class and text of its error.

    `topic`, `partition` and `offset` say where the record was read. The headers that hold all this are those
    of Kafka Streams (`__streams.errors.exception` and so on, KIP-1034), and `__streams.errors.stage`.
    """

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
        """Read a record of the dead-letter topic. Raises KeyError if it is not one."""
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
