"""Position: the place in its input that the state of a task belongs to, stored with that state.

Rules for whoever edits this file:
1. Every commit writes one position, behind all other changes, into the changelog of one store, the home. A
   record behind it is from a version of Wallaroo that writes no positions.
2. The first commit of a task writes it into the other changelogs as well. There it says where the home is.
3. The metadata of a committed offset says which topics it belongs to. It is short: a broker takes 4096 bytes.

    1A<JSON object>                                 the record, under POSITION_KEY
    1I<topic id><short name><short topic id>...     the metadata
    1H<offset>                                      the metadata where results are missing from an offset on
    1Z                                              the metadata while the application is being reset
"""

import json
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from wallaroo.errors import StoredValueError
from wallaroo.record import Changes
from wallaroo.serde.formats import (
    HOLE_METADATA,
    OFFSET_METADATA,
    RESET_METADATA,
    TASK_POSITION,
    unknown_format,
)
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.context import ApplicationContext
from wallaroo.topology.model import SubTopology
from wallaroo.topology.steps import Stateful, Store, Window

_ID_LENGTH = 22
_NO_ID = "-" * _ID_LENGTH
# 24 bits each.
_SHORT = 4
_MOST_METADATA = 4_000

TopicIds = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChangelogOrigin:
    """A changelog as it was when a position was written: its topic id, if known, and where it began."""

    topic_id: str | None
    log_start: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """State and input of a task belong together: it has processed the input up to `next`.

    `start` is where the last batch began. With `repeats`, the group's offset was committed after the state,
    at least once, and a crash in between leaves it anywhere from `start` on.
    """

    topic: str
    topic_id: str | None
    start: int
    next: int
    home: str
    changelogs: Mapping[str, ChangelogOrigin]
    repeats: bool = False

    def encode(self) -> bytes:
        changelogs = {name: [origin.topic_id, origin.log_start] for name, origin in self.changelogs.items()}
        fields = {
            "topic": self.topic,
            "id": self.topic_id,
            "start": self.start,
            "next": self.next,
            "repeats": self.repeats,
            "home": self.home,
            "changelogs": changelogs,
        }
        return TASK_POSITION + json.dumps(fields, separators=(",", ":")).encode()

    @staticmethod
    def decode(data: bytes) -> "Position":
        """Raises StoredValueError if the bytes are not what `encode` makes."""
        if not data.startswith(TASK_POSITION):
            raise StoredValueError(unknown_format("the position of a task", data))
        try:
            fields = json.loads(data[len(TASK_POSITION) :])
            changelogs = {name: ChangelogOrigin(*origin) for name, origin in fields["changelogs"].items()}
            return Position(
                fields["topic"],
                fields["id"],
                int(fields["start"]),
                int(fields["next"]),
                fields["home"],
                changelogs,
                bool(fields["repeats"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoredValueError(f"the position of a task cannot be read: {data[:200]!r}") from error

    def fits(self, committed: int) -> bool:
        """Whether a group at this offset has what the state has, or may repeat the last batch."""
        return self.start <= committed <= self.next if self.repeats else committed == self.next

    def resume_offset(self, low: int) -> int:
        """Where to go on by the state alone; `low` is where the input begins by now."""
        return max(self.start, min(low, self.next)) if self.repeats else self.next


@dataclass(frozen=True, slots=True)
class OffsetMetadata:
    """What the metadata of a committed offset says: the id of the input topic, and those of the changelogs.

    The changelogs' names and ids are shortened. `hole` is where missing results begin, if there are any.
    `in_reset` says that the application is being reset.
    """

    topic_id: str | None
    changelogs: Mapping[str, str]
    hole: int | None = None
    in_reset: bool = False

    @staticmethod
    def decode(text: str | None) -> "OffsetMetadata | None":
        """None if the offset was committed by an operator or by a version that writes no metadata."""
        if text == RESET_METADATA.decode():
            return OffsetMetadata(None, {}, in_reset=True)
        tag, hole = OFFSET_METADATA.decode(), (text or "").removeprefix(HOLE_METADATA.decode())
        if text and hole != text and hole.isascii() and hole.isdigit():
            return OffsetMetadata(None, {}, int(hole))
        body = (text or "").removeprefix(tag)
        pairs = body[_ID_LENGTH:]
        if not text or not text.startswith(tag) or len(body) < _ID_LENGTH or len(pairs) % (2 * _SHORT):
            return None
        found = [pairs[at : at + 2 * _SHORT] for at in range(0, len(pairs), 2 * _SHORT)]
        topic_id = body[:_ID_LENGTH]
        return OffsetMetadata(
            None if topic_id == _NO_ID else topic_id, {pair[:_SHORT]: pair[_SHORT:] for pair in found}
        )


def encode_metadata(topic: str, changelogs: Iterable[str], ids: TopicIds) -> str:
    """The metadata of the offsets of a task; empty where no topic id is known. More than fit are left out."""
    known = {short: ids[name][:_SHORT] for name, short in short_names(changelogs).items() if name in ids}
    if topic not in ids and not known:
        return ""
    pairs = "".join(short + topic_id for short, topic_id in known.items())
    return OFFSET_METADATA.decode() + ids.get(topic, _NO_ID) + pairs[:_MOST_METADATA]


def encode_hole(start: int) -> str:
    """The metadata of an offset that was committed without its results, from an offset on."""
    return HOLE_METADATA.decode() + str(start)


def encode_reset() -> str:
    """The metadata of an offset while the application is being reset."""
    return RESET_METADATA.decode()


def short_names(changelogs: Iterable[str]) -> dict[str, str]:
    """Short names of changelogs; two that would be called the same have none."""
    short = {name: urlsafe_b64encode(sha256(name.encode()).digest())[:_SHORT].decode() for name in changelogs}
    times = Counter(short.values())
    return {name: one for name, one in short.items() if times[one] == 1}


def same_topic(recorded: str | None, now: str | None) -> bool:
    """Whether a topic is still the one that was recorded, as far as is known; a short id will do."""
    return recorded is None or now is None or now.startswith(recorded)


def home_of(sub: SubTopology) -> Store | None:
    """The store whose changelog takes the positions.

    It is no window's if there is another: an older version would take the position for a window.
    """
    plain = [step.store for step in sub.steps if isinstance(step, Stateful) and not isinstance(step, Window)]
    return next(iter([*plain, *sub.stores]), None)


@dataclass(frozen=True, slots=True)
class RestoredChangelog:
    """What a restore has found in one changelog partition.

    `position` is the last one in it, and `superseded` if other records are behind that. `records` counts all
    records besides positions.
    """

    log_start: int = 0
    records: int = 0
    position: Position | None = None
    superseded: bool = False


class PositionLog:
    """Makes the positions that one task writes, and the metadata of its offsets.

    `is_due` says that a position is to be committed even if there is nothing else to commit.
    """

    def __init__(self, sub: SubTopology, application: ApplicationContext) -> None:
        self.is_due = False
        self._topic = sub.input.topic
        self._names = {store.changelog: store.name for store in sub.stores}
        self._topic_ids = application.topic_ids
        self._repeats = not application.exactly_once
        self.metadata = encode_metadata(self._topic, self._names, self._topic_ids)
        home = home_of(sub)
        self._home = "" if home is None else home.changelog
        self._log_starts: dict[str, int] = {}
        self._announced = False
        self._commits_start = False
        # Whether the last position leaves open where the group is.
        self._is_open = False

    def follow(self, found: Mapping[str, RestoredChangelog], *, commit_start: bool) -> None:
        """Keep the home that a restore has found, and accept the changelogs as they are."""
        self.is_due = self._commits_start = commit_start
        self._log_starts = {name: changelog.log_start for name, changelog in found.items()}
        homes = [name for name, changelog in found.items() if _is_home(name, changelog)]
        self._is_open = self._repeats and bool(homes)
        if homes and self._home not in homes:
            self._home = homes[0]

    def changes(self, start: int, next_offset: int) -> Sequence[Changes]:
        """What a batch of these offsets writes behind its other changes."""
        self.is_due = False
        if not self._home:
            return ()
        self._is_open = self._repeats and start < next_offset
        changelogs = {
            name: ChangelogOrigin(self._topic_ids.get(name), self._log_starts.get(name, 0))
            for name in self._names
        }
        topic_id = self._topic_ids.get(self._topic)
        position = Position(self._topic, topic_id, start, next_offset, self._home, changelogs, self._repeats)
        values = {POSITION_KEY: position.encode()}
        wanted = [self._home] if self._announced else [self._home, *self._names.keys() - {self._home}]
        return [Changes(self._names[name], name, values) for name in wanted]

    def committed(self) -> None:
        self._announced, self._commits_start = True, False

    def settle(self) -> None:
        """The group's offset is committed as well: let one more position say so, at least once."""
        self.is_due = self.is_due or self._is_open

    def rollback(self) -> None:
        self.is_due = self._commits_start


def _is_home(name: str, changelog: RestoredChangelog) -> bool:
    return changelog.position is not None and changelog.position.home == name
