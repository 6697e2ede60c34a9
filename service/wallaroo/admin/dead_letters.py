"""Dead letters as values: what each says, which are wanted, and what a replay of them sends. Pure.

Rules for whoever edits this file:
1. What is sent is a record of a source, never one of a topic between two sub-topologies.
2. A record of a source is sent once, however many dead letters it has led to.
3. Where the dead letter is not all of the record, the record is read in its source.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wallaroo.errors import StoredValueError
from wallaroo.task.dead_letters import FORMAT_HEADER, REASON_PREFIX
from wallaroo.task.origin import Source
from wallaroo.topology.model import Topology

# Headers of a record that a replay has sent: the dead letter, and how often its record has been sent so far.
REPLAY_OF, REPLAY_COUNT = "wallaroo.replay.of", "wallaroo.replay.count"
_REPLAYED = (REPLAY_OF, REPLAY_COUNT)
# The first of the headers that say why.
_FIRST = REASON_PREFIX + "exception"

# An id may have a slash in it.
_NOTED = re.compile(rb"(?P<id>[ -~]+)/(?P<partition>\d+)/(?P<offset>\d+)")

Headers = Sequence[tuple[str, bytes | None]]
Outcome = Literal["replayed", "dropped"]


@dataclass(frozen=True, slots=True)
class Letter:
    """What a dead letter says of itself; its content is left where it is.

    `failed` is where the record failed, `source` where it first came from, `record_time_ms` its own time.
    """

    place: Source
    time_ms: int
    stage: str
    error: str
    message: str
    key: bytes | None
    failed: Source | None
    source: Source | None
    record_time_ms: int = -1
    truncated: str = ""

    @property
    def short_place(self) -> str:
        """As an operator names it."""
        return f"{self.place.partition}@{self.place.offset}"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is sent."""

    value: bytes | None
    key: bytes | None
    headers: Headers
    time_ms: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters; what is None or empty is not asked about. Times are of when they were written."""

    stage: str | None = None
    error: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    key: bytes | None = None
    places: frozenset[tuple[int, int]] = frozenset()

    def takes(self, letter: Letter) -> bool:
        return (
            (self.stage is None or letter.stage == self.stage)
            and (self.error is None or self.error.lower() in f"{letter.error}: {letter.message}".lower())
            and (self.since_ms is None or letter.time_ms >= self.since_ms)
            and (self.until_ms is None or letter.time_ms < self.until_ms)
            and (self.key is None or letter.key == self.key)
            and (not self.places or letter.place[1:] in self.places)
        )


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a dead letter: dropped, or replayed as the record `sent`, the `count`th time."""

    outcome: Outcome
    time_ms: int
    source: Source | None = None
    source_id: str | None = None
    sent: Source | None = None
    count: int = 0

    def encode(self) -> bytes:
        fields = {
            "outcome": self.outcome,
            "time": self.time_ms,
            "source": self.source,
            "id": self.source_id,
            "sent": self.sent,
            "count": self.count,
        }
        return json.dumps(fields, separators=(",", ":")).encode()

    @staticmethod
    def decode(data: bytes) -> "Handled":
        """Raises StoredValueError if the bytes are not what `encode` makes."""
        try:
            fields = json.loads(data)
            source, sent = (None if at is None else Source(*at) for at in (fields["source"], fields["sent"]))
            return Handled(fields["outcome"], fields["time"], source, fields["id"], sent, fields["count"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoredValueError(f"what became of a dead letter cannot be read: {data[:200]!r}") from error


@dataclass(slots=True)
class Register:
    """What became of the dead letters of one topic; `topic_ids` are those of now.

    Of a topic that was made anew, nothing is known.
    """

    topic: str
    topic_ids: Mapping[str, str]
    _by_place: dict[tuple[int, int], Handled] = field(default_factory=dict)
    _by_source: dict[Source, Handled] = field(default_factory=dict)
    _counts: dict[Source, int] = field(default_factory=dict)

    def key(self, place: Source) -> bytes:
        """Under which what became of a dead letter is written."""
        return f"{self.topic_ids.get(self.topic, '-')}/{place.partition}/{place.offset}".encode()

    def add(self, key: bytes, value: bytes) -> None:
        """Take what was written; raises StoredValueError for what `key` and `encode` do not make."""
        found = _NOTED.fullmatch(key)
        if found is None:
            raise StoredValueError(f"which dead letter was handled cannot be read: {key[:200]!r}")
        handled = Handled.decode(value)
        if found["id"].decode() != self.topic_ids.get(self.topic, "-"):
            return
        self._by_place[int(found["partition"]), int(found["offset"])] = handled
        source = handled.source
        if handled.sent is None or source is None:
            return
        if handled.source_id == self.topic_ids.get(source.topic):
            self._by_source[source] = handled
            self._counts[handled.sent] = handled.count

    def of(self, letter: Letter) -> Handled | None:
        """What became of it; one whose record was sent for another one is replayed as well."""
        found = self._by_place.get((letter.place.partition, letter.place.offset))
        return found or (None if letter.source is None else self._by_source.get(letter.source))

    def replays(self, letter: Letter) -> int:
        """How often its record had been replayed when it failed."""
        return 0 if letter.source is None else self._counts.get(letter.source, 0)


@dataclass(frozen=True, slots=True)
class Sending:
    """A record of a source to be sent once more, for these dead letters, for the `count`th time."""

    source: Source
    letters: tuple[Letter, ...]
    count: int


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay sends, in the order of the sources, and what it cannot send, with the reason."""

    sendings: tuple[Sending, ...]
    refused: tuple[tuple[Letter, str], ...]


def plan_replay(letters: Iterable[Letter], register: Register, topology: Topology) -> ReplayPlan:
    """What a replay of those that nothing has become of sends."""
    sources = {read.topic for read in topology.sources}
    open_letters = sorted(each for each in _open(letters, register))
    refused = [(each, why) for _, each in open_letters if (why := _obstacle(each, sources))]
    together: dict[Source, list[Letter]] = {}
    for _, letter in open_letters:
        if letter.source is not None and not _obstacle(letter, sources):
            together.setdefault(letter.source, []).append(letter)
    sendings = [
        Sending(source, tuple(found), register.replays(found[0]) + 1)
        for source, found in sorted(together.items())
    ]
    return ReplayPlan(tuple(sendings), tuple(refused))


def _open(letters: Iterable[Letter], register: Register) -> Iterable[tuple[Source, Letter]]:
    return ((each.place, each) for each in letters if register.of(each) is None)


def _obstacle(letter: Letter, sources: set[str]) -> str:
    """Why a dead letter cannot be replayed, as far as it says itself; empty if it can."""
    if letter.source is None and not letter.stage:
        return "it is no dead letter of this application"
    if letter.source is None:
        return "no single record of a source led to it"
    if letter.source.topic not in sources:
        return f"it came from {letter.source.topic}, which is no source of this application"
    if letter.source.offset < 0:
        return f"{letter.source.topic} refused it: it never had a place there"
    return ""


def letter_of(message: Any) -> Letter:
    """A dead letter as it was read."""
    _, reasons = split_headers(message.headers())
    text = {name: (value or b"").decode(errors="replace") for name, value in reasons.items()}
    failed = _source(text, "")
    key = message.key()
    if failed is not None and key == str(failed).encode():
        # Given to it because its topic is compacted: the record had none.
        key = None
    return Letter(
        Source(message.topic(), message.partition(), message.offset()),
        message.timestamp()[1],
        text.get("stage", ""),
        text.get("exception", ""),
        text.get("message", ""),
        key,
        failed,
        _source(text, "source."),
        _number(text.get("timestamp", ""), -1),
        text.get("truncated", ""),
    )


def split_headers(headers: Headers | None) -> tuple[Headers, dict[str, bytes | None]]:
    """The headers of the record itself, and those that say why it failed, without their prefix.

    A record may have come from the dead letters of another application: only the last ones are ours.
    """
    given = list(headers or ())
    at = max((n for n, (name, _) in enumerate(given) if name == _FIRST), default=len(given))
    length = len(REASON_PREFIX)
    return given[:at], {n[length:]: value for n, value in given[at:] if n.startswith(REASON_PREFIX)}


def kept_record(message: Any, letter: Letter, *, has_internal_format: bool) -> Record | None:
    """The record of a source that a dead letter holds; None if it does not hold all of it."""
    if letter.failed != letter.source or letter.truncated:
        return None
    own, reasons = split_headers(message.headers())
    value = message.value()
    if has_internal_format:
        if FORMAT_HEADER not in reasons:
            return None
        value = None if value is None else (reasons[FORMAT_HEADER] or b"") + value
    return Record(value, letter.key, own, letter.record_time_ms)


def read_record(message: Any) -> Record:
    """A record as it was read in its source."""
    return Record(message.value(), message.key(), message.headers() or (), message.timestamp()[1])


def shown_bytes(data: bytes | None) -> str | None:
    """Bytes as text if they are some, or else in hexadecimal."""
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"
    return text if text.replace("\n", "").replace("\t", "").isprintable() else f"0x{data.hex()}"


def marked(record: Record, sending: Sending) -> Record:
    """The record as it is sent: it says that it is a replay, of which dead letter, and the how manieth."""
    own = [header for header in record.headers if header[0] not in _REPLAYED]
    of = (REPLAY_OF, str(sending.letters[0].place).encode())
    count = (REPLAY_COUNT, str(sending.count).encode())
    return Record(record.value, record.key, [*own, of, count], record.time_ms)


def _source(text: Mapping[str, str], prefix: str) -> Source | None:
    topic = text.get(f"{prefix}topic")
    partition, offset = (_number(text.get(prefix + name, ""), None) for name in ("partition", "offset"))
    return None if not topic or partition is None or offset is None else Source(topic, partition, offset)


def _number(text: str, other: Any) -> Any:
    try:
        return int(text)
    except ValueError:
        return other
