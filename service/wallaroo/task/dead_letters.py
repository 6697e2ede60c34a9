"""Dead letters: what happens to a record that cannot be decoded, or on which user code raises."""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from wallaroo.errors import (
    ForeignRecordError,
    KafkaSetupError,
    StopProcessing,
    StoredValueError,
    class_name_of,
    text_of,
)
from wallaroo.record import (
    ANY_PARTITION,
    ORIGIN_HEADER,
    Append,
    FailedRecord,
    Output,
    Partition,
    RawRecord,
)
from wallaroo.serde.formats import is_foreign, strip_format_tag
from wallaroo.task.limits import RecordLimits, RefusedRecord
from wallaroo.task.origin import Source
from wallaroo.task.record_size import shortened

# The names that Kafka Streams gives these headers (KIP-1034), and two more: the record's time, the stage.
REASON_PREFIX = "__streams.errors."
# What was taken off the value of a generated record, so that the record can be made whole again.
FORMAT_HEADER = "format"
_MAX_TEXT = 8_000
_MAX_NAME = 250
# Of a key or an error in a line of the log.
_MAX_SHOWN = 500
_MAX_CHAIN = 20


class OnError(StrEnum):
    """The policy for records that fail."""

    DEAD_LETTER = "dead_letter"
    SKIP = "skip"
    STOP = "stop"


class FailureHandler:
    """Turns the failed records of one task into dead letters, skips them or stops; and counts them."""

    def __init__(
        self,
        policy: OnError,
        topic: str,
        partition: Partition,
        append: Append,
        *,
        internal: bool = False,
        source: Callable[[RawRecord], Source | None] = lambda _record: None,
    ) -> None:
        """`internal`: values are in the format of internal topics, whose tag is left out of a dead letter.

        `source` says where a record first came from.
        """
        self._policy = policy
        self.topic = topic
        self._partition = partition
        self._append = append
        self._internal = internal
        self._source = source
        self._max_bytes: int | None = None
        self._needs_key = False
        # By (stage, class of the error), by (stage, reason), and by stage.
        self.dead_letters: Counter[tuple[str, str]] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.late: Counter[str] = Counter()
        # By stage: the first record that has failed, and how many have.
        self.failures: dict[str, tuple[FailedRecord, int]] = {}

    def clear(self) -> None:
        """Begin to count anew."""
        for counts in (self.dead_letters, self.dropped, self.late, self.failures):
            counts.clear()

    def enforce(self, limits: RecordLimits) -> None:
        """From now on, make dead letters fit what their topic takes."""
        self._max_bytes = limits.max_bytes(self.topic)
        self._needs_key = self._needs_key or limits.needs_key(self.topic)

    def refused(self, letter: RefusedRecord) -> None:
        """Give keys to dead letters if it may have been that; KafkaSetupError if nothing is left to try."""
        if letter.output[2] is not None or self._needs_key:
            raise KafkaSetupError(
                f"the dead-letter topic {self.topic} refuses a dead letter: {letter.why}; see its "
                "cleanup.policy, message.timestamp.* and max.message.bytes, or choose on_error=skip"
            )
        self._needs_key = True

    def reject(self, record: RawRecord, stage: str, error: BaseException) -> None:
        """Deal with one failed record, and release its error; StopProcessing if the policy is to stop."""
        match self._policy:
            case OnError.DEAD_LETTER:
                self.dead_letters[stage, class_name_of(error)] += 1
                self._append(self._dead_letter(record, stage, error))
                self._note("dead letter", record, stage, error)
            case OnError.SKIP:
                self.dropped[stage, "skipped"] += 1
                self._note("record skipped", record, stage, error)
            case OnError.STOP:
                at = f"{self._partition.topic}[{self._partition.number}]@{record.offset()}"
                raise StopProcessing(
                    f"stage {stage!r} failed at {at}, key {record.key()!r}: {text_of(error, repr)}; "
                    "on_error is 'stop': mend the stage or the record, or choose on_error=dead_letter"
                ) from error
        release(error)

    def _note(
        self,
        outcome: str,
        record: RawRecord,
        stage: str,
        error: BaseException,
        place: Partition | None = None,
    ) -> None:
        known = self.failures.get(stage)
        if known is not None:
            self.failures[stage] = known[0], known[1] + 1
            return
        key, where = record.key(), place or self._partition
        source = self._source(record) if where == self._partition else None
        failed = FailedRecord(
            outcome,
            f"{class_name_of(error)}: {text_of(error)[:_MAX_SHOWN]}",
            where.topic,
            where.number,
            record.offset(),
            "" if key is None else repr(key[:_MAX_SHOWN]),
            "" if source is None or source.topic == where.topic else str(source),
        )
        self.failures[stage] = failed, 1

    def put_aside(self, place: Partition, record: RawRecord, stage: str, error: BaseException) -> None:
        """Make what cannot be read a dead letter, as it was stored there, whatever the policy is."""
        self._note("dead letter", record, stage, error, place)
        self.dead_letters[stage, type(error).__name__] += 1
        self._append(self._dead_letter(record, stage, error, place))

    def _dead_letter(
        self, record: RawRecord, stage: str, error: BaseException, stored: Partition | None = None
    ) -> Output:
        place = stored or self._partition
        reasons = {
            "exception": _full_name(error),
            "message": text_of(error),
            "stacktrace": "\n\n".join(map(_traceback, reversed(_chain(error))))[-_MAX_TEXT:],
            "topic": place.topic,
            "partition": str(place.number),
            "offset": str(record.offset()),
            "timestamp": str(record.timestamp()[1]),
            "stage": stage,
        }
        source = self._source(record) if place == self._partition else None
        if source is not None:
            reasons |= {f"source.{name}": str(value) for name, value in source._asdict().items()}
        encoded = [
            (REASON_PREFIX + name, text.encode(errors="backslashreplace")) for name, text in reasons.items()
        ]
        own = record.headers() or ()
        if self._internal:
            own = [header for header in own if header[0] != ORIGIN_HEADER]
        value = record.value()
        if self._internal and stored is None:
            value = strip_format_tag(value)
            if source is not None and source[:2] == (place.topic, place.number):
                taken = (record.value() or b"").removesuffix(value or b"")
                encoded.append((REASON_PREFIX + FORMAT_HEADER, taken))
        headers = [*own, *encoded]
        key = record.key()
        if key is None and self._needs_key:
            key = f"{self._partition.topic}[{self._partition.number}]@{record.offset()}".encode()
        # With the present as its time: that of the record may be what a topic refuses.
        letter = (self.topic, value, key, ANY_PARTITION, None, None, 0, headers)
        return letter if self._max_bytes is None else shortened(letter, self._max_bytes, REASON_PREFIX)


def foreign_record(
    partition: Partition, record: RawRecord, error: BaseException
) -> ForeignRecordError | None:
    """The error for a record of an internal topic that cannot be read, if it does not claim to be ours."""
    if record.value() is not None and not is_foreign(record.value()):
        return None
    made = ForeignRecordError(
        f"something else than this application has written it to {partition.topic}, a topic of its own: "
        f"{text_of(error)}; records to be processed again belong into the source that they came from"
    )
    made.__cause__ = error
    return made


def release(error: BaseException) -> None:
    """Let go of the frames of an error that has been dealt with, and of the records and states in them.

    A frame knows its caller, and that one has the error in a variable: such a ring stays in memory until the
    garbage collector comes by, which a worker lets happen rarely.
    """
    for each in _chain(error):
        BaseException.__dict__["__traceback__"].__set__(each, None)


def unreadable_record(partition: Partition, record: RawRecord, error: BaseException) -> StoredValueError:
    """The error for a record of an internal topic that cannot be read, to be raised from `error`."""
    return StoredValueError(
        f"the record {partition.topic}[{partition.number}]@{record.offset()} of an internal topic cannot be "
        f"read (key {record.key()!r}): "
        f"{text_of(error)}; either something else writes to this topic, or the application cannot read what "
        "another version of it has written: let it, or set on_unreadable_state=dead_letter, and the record "
        "becomes a dead letter"
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error and its causes; a chain can be a ring, as after `raise error from error`."""
    links: dict[int, BaseException] = {}
    link: BaseException | None = error
    while link is not None and id(link) not in links and len(links) < _MAX_CHAIN:
        links[id(link)] = link
        cause, context = _cause_and_context(link)
        link = context if cause is None else cause
    return list(links.values())


def _cause_and_context(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """As the interpreter has set them, whatever the class of the error makes of these names."""
    slots = BaseException.__dict__
    return slots["__cause__"].__get__(error), slots["__context__"].__get__(error)


def _traceback(error: BaseException) -> str:
    """The frames without their source lines: at a hundredth of what `traceback` costs."""
    lines = ["Traceback (most recent call last):"]
    trace = BaseException.__dict__["__traceback__"].__get__(error)
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_qualname}')
        trace = trace.tb_next
    return "\n".join([*lines, f"{_full_name(error).rpartition('.')[2]}: {text_of(error)}"])


def _full_name(error: BaseException) -> str:
    return text_of(error, lambda each: f"{type(each).__module__}.{type(each).__qualname__}")[:_MAX_NAME]
