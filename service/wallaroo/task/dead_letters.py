"""What happens to a record that cannot be decoded, or on which user code raised."""

from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from types import TracebackType
from typing import Any

from wallaroo.errors import StopProcessing
from wallaroo.record import ANY_PARTITION, Output, Partition, RawRecord
from wallaroo.task.record_size import Limits, shortened

# The names that Kafka Streams gives these headers (KIP-1034), and one more for the stage.
_HEADER = "__streams.errors."
_LONGEST_TEXT = 8_000
_LONGEST_CHAIN = 20


class OnError(StrEnum):
    """The policy for records that fail."""

    DEAD_LETTER = "dead_letter"
    SKIP = "skip"
    STOP = "stop"


def _unchanged(value: Any) -> Any:
    return value


class Rejections:
    """Turns failed records of one task into dead letters, or skips them, or stops; and counts them."""

    def __init__(
        self,
        policy: OnError,
        topic: str,
        partition: Partition,
        append: Callable[[Output], None],
        plain: Callable[[Any], Any] = _unchanged,
    ) -> None:
        """`plain` makes of a record's value what the dead letter shows."""
        self._policy = policy
        self._topic = topic
        self._partition = partition
        self._append = append
        self._plain = plain
        self._limit: int | None = None
        self.dead_letters: Counter[tuple[str, str]] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.late: Counter[str] = Counter()

    def enforce_size_limits(self, limits: Limits) -> None:
        """Kafka has refused something as too large: see to it that dead letters are not."""
        self._limit = limits.of(self._topic)

    def reject(self, record: RawRecord, stage: str, error: BaseException) -> None:
        """Deal with one failed record; StopProcessing where the policy is to stop."""
        match self._policy:
            case OnError.DEAD_LETTER:
                self.dead_letters[stage, type(error).__name__] += 1
                self._append(self._dead_letter(record, stage, error))
            case OnError.SKIP:
                self.dropped[stage, "skipped"] += 1
            case OnError.STOP:
                at = f"{self._partition.topic}[{self._partition.number}]@{record.offset()}"
                raise StopProcessing(
                    f"stage {stage!r} failed at {at}, key {record.key()!r}: {_told(repr, error)}; "
                    "on_error is 'stop': mend the stage or the record, or choose on_error=dead_letter"
                ) from error

    def _dead_letter(self, record: RawRecord, stage: str, error: BaseException) -> Output:
        timestamp = record.timestamp()[1]
        headers = [*(record.headers() or ()), *self._reasons(record, stage, error)]
        value = self._plain(record.value())
        letter = (self._topic, value, record.key(), ANY_PARTITION, None, None, timestamp, headers)
        return letter if self._limit is None else shortened(letter, self._limit, _HEADER)

    def _reasons(self, record: RawRecord, stage: str, error: BaseException) -> list[tuple[str, bytes]]:
        reasons = {
            "exception": f"{type(error).__module__}.{type(error).__qualname__}",
            "message": _told(str, error)[:_LONGEST_TEXT],
            "stacktrace": _stacktrace(error)[-_LONGEST_TEXT:],
            "topic": self._partition.topic,
            "partition": str(self._partition.number),
            "offset": str(record.offset()),
            "stage": stage,
        }
        return [(_HEADER + name, text.encode(errors="backslashreplace")) for name, text in reasons.items()]


def _stacktrace(error: BaseException) -> str:
    """Where it was raised, without the source lines: at a hundredth of what `traceback` costs."""
    return "\n\n".join(_traceback(link) for link in reversed(_chain(error)))


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what led to it; a chain can be a ring, as after `raise error from error`."""
    links: dict[int, BaseException] = {}
    link: BaseException | None = error
    while link is not None and id(link) not in links and len(links) < _LONGEST_CHAIN:
        links[id(link)] = link
        link = link.__cause__ if link.__cause__ is not None else link.__context__
    return list(links.values())


def _traceback(error: BaseException) -> str:
    frames = "".join(_frames(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}: {_told(str, error)}"


def _told(form: Callable[[BaseException], str], error: BaseException) -> str:
    """What an error says of itself; its class is the user's, and may fail at that too."""
    try:
        return form(error)
    except Exception as failure:  # any code of the user's
        return f"an error without a text, since that raised {type(failure).__qualname__}"


def _frames(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_qualname}\n'
        trace = trace.tb_next
