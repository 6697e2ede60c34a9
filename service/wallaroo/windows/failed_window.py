"""A window on which user code raised, in the form of the record that becomes a dead letter."""

from dataclasses import dataclass

from wallaroo.record import Moment


@dataclass(frozen=True, slots=True)
class FailedWindow:
    """`contents` are all the windows of the key as they are stored; `at` is the offset that made it due."""

    contents: bytes | None
    of_key: bytes
    end: int
    at: int

    def value(self) -> bytes | None:
        return self.contents

    def key(self) -> bytes:
        return self.of_key

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return Moment(self.end - 1).timestamp()

    def headers(self) -> None:
        return None
