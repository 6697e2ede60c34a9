"""What topics take: sizes, times and keys. Asked for once Kafka has refused a record, and checked in replays.

Rules for whoever edits this file:
1. Nothing is checked before Kafka has refused something: compressed, a large record may well be small enough.
2. A limit that is not known refuses nothing: the broker is asked record by record then (engine/refusals.py).
3. The clock that counts is the broker's; ours is near enough for a limit of an hour.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wallaroo.errors import RecordError
from wallaroo.record import Batch, Cause, Output
from wallaroo.task.record_size import size

# The limit of a topic if neither the topic nor the broker sets one.
_KAFKAS_OWN_BYTES = 1_048_588
_ANY = 2**63 - 1
_TIMESTAMP_AT = 6
# The time of a record that has none: no topic refuses it.
_NO_TIME = -1
_SIZE, _SEGMENT = "max.message.bytes", "segment.bytes"
_BEFORE, _AFTER = "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"
# Until Kafka 3.9, for both.
_DIFFERENCE = "message.timestamp.difference.max.ms"


@dataclass(frozen=True, slots=True)
class TopicLimits:
    """What one topic takes; times are milliseconds behind and ahead of the present.

    `compresses` says that the broker compresses anew, at which it fails for times before 1970.
    """

    max_bytes: int = _KAFKAS_OWN_BYTES
    before_ms: int = _ANY
    after_ms: int = _ANY
    needs_key: bool = False
    compresses: bool = False
    # Which property says how large a record may be.
    size_property: str = _SIZE


def limits_of(properties: Mapping[str, str]) -> TopicLimits:
    """What a topic with these properties takes; without any, what Kafka's own defaults say of sizes."""
    sizes = {name: int(properties[name]) for name in (_SIZE, _SEGMENT) if name in properties}
    smallest = min(sizes, key=lambda name: sizes[name], default=_SIZE)
    difference = int(properties.get(_DIFFERENCE) or _ANY)
    behind, ahead = (int(properties.get(name) or _ANY) for name in (_BEFORE, _AFTER))
    by_broker = properties.get("message.timestamp.type") == "LogAppendTime"
    return TopicLimits(
        sizes.get(smallest, _KAFKAS_OWN_BYTES),
        _ANY if by_broker else min(behind, difference),
        _ANY if by_broker else min(ahead, difference),
        "compact" in properties.get("cleanup.policy", ""),
        properties.get("compression.type", "producer") != "producer",
        smallest,
    )


@dataclass(frozen=True, slots=True)
class RecordLimits:
    """What each topic takes, and the largest record that the producer sends, bytes; `now_ms` is a clock."""

    producer: int
    topics: Mapping[str, TopicLimits]
    now_ms: Callable[[], int] = field(default=lambda: 0, compare=False)

    def max_bytes(self, topic: str) -> int:
        known = self.topics.get(topic)
        return self.producer if known is None else min(known.max_bytes, self.producer)

    @property
    def smallest_max_bytes(self) -> int:
        """What every topic takes that was asked about."""
        return min(map(self.max_bytes, self.topics), default=self.producer)

    def needs_key(self, topic: str) -> bool:
        known = self.topics.get(topic)
        return known is not None and known.needs_key

    def are_exceeded(self, batch: Batch) -> bool:
        """Whether any single record of a batch would be refused."""
        return any(map(self.refusal, batch.outputs)) or any(
            size((changes.topic, value, key)) > self.max_bytes(changes.topic)
            for changes in batch.changes
            for key, value in changes.values.items()
        )

    def check(self, output: Output) -> None:
        """Raise RecordError if the record would be refused."""
        refusal = self.refusal(output)
        if refusal is not None:
            raise RecordError(refusal)

    def refusal(self, output: Output) -> str | None:
        """Why the topic of a record would refuse it, and what to change."""
        topic, found = output[0], size(output)
        limit, known = self.max_bytes(topic), self.topics.get(topic)
        if found > limit:
            setting = f"{known.size_property} of the topic" if known and limit < self.producer else None
            return (
                f"a record of {found} bytes for {topic}, which takes {limit}: "
                f"make it smaller, or raise {setting or 'max_message_bytes'}"
            )
        if known is None:
            return None
        if known.needs_key and output[2] is None:
            return (
                f"a record without a key for {topic}, which takes none without: give it a key, or set "
                "cleanup.policy=delete on the topic, which is compacted"
            )
        return self._refusal_of_time(topic, known, timestamp_of(output))

    def _refusal_of_time(self, topic: str, known: TopicLimits, at_ms: int | None) -> str | None:
        if at_ms is None:
            return None
        if at_ms < 0 and known.compresses:
            return (
                f"a record with the timestamp {at_ms} for {topic}, which takes none before 1970: mend the "
                "time, or set compression.type=producer on it"
            )
        ahead_ms = at_ms - self.now_ms()
        where, by, limit, name = (
            ("ahead of", ahead_ms, known.after_ms, _AFTER)
            if ahead_ms > 0
            else ("behind", -ahead_ms, known.before_ms, _BEFORE)
        )
        if by <= limit:
            return None
        return (
            f"a record with the timestamp {at_ms}, {by} ms {where} the present, for {topic}, which takes no "
            f"more than {limit}: mend the clock or the unit of the time, or raise {name} of the topic"
        )

    def after_refused_times(self, refused: Iterable[Output]) -> "RecordLimits":
        """The same, where these records alone were refused for their times: what is further away is, too.

        For topics that may not be asked, and clocks that differ from the broker's.
        """
        topics, now_ms = dict(self.topics), self.now_ms()
        for output in refused:
            at_ms, known = timestamp_of(output), topics.get(output[0], TopicLimits(self.producer))
            if at_ms is None:
                continue
            ahead_ms = at_ms - now_ms
            closer = (
                replace(known, after_ms=min(known.after_ms, ahead_ms - 1))
                if ahead_ms > 0
                else replace(known, before_ms=min(known.before_ms, -ahead_ms - 1))
            )
            topics[output[0]] = closer
        return replace(self, topics=topics)

    def after_refused_sizes(self, refused: Iterable[Output]) -> "RecordLimits":
        """The same, where these records alone were refused for their sizes: what is as large is, too.

        For topics that may not be asked. Without it, every record of a state that is too large would have to
        be found by itself.
        """
        topics = dict(self.topics)
        for output in refused:
            known = topics.get(output[0], TopicLimits(self.producer))
            topics[output[0]] = replace(known, max_bytes=min(known.max_bytes, size(output) - 1))
        return replace(self, topics=topics)


def timestamp_of(output: Output) -> int | None:
    """The time that a record is written with, milliseconds; None if it gets the present."""
    at_ms: int = output[_TIMESTAMP_AT] if len(output) > _TIMESTAMP_AT else 0
    return at_ms if at_ms not in (0, _NO_TIME) else None


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """One record that its topic refused when it came alone; `cause` is None if no record read led to it."""

    task: int
    output: Output
    cause: Cause | None
    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A commit was aborted because of some record: what topics take now, and which record, if known."""

    limits: RecordLimits
    records: Sequence[RefusedRecord] = ()
