"""Where a task starts: the group's offset and the position of its state, compared. Pure.

Rules for whoever edits this file:
1. Every combination has one answer: an offset, or a refusal that says which commands lead out.
2. What the state says counts where only the group has forgotten. Nothing is guessed where state would be
   lost, or history counted twice.
3. A store that no position lists is new, and must be empty.
4. Of tasks without state that feed others, the position is all that is kept: it is compared as any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from wallaroo.task.position import OffsetMetadata, Position, RestoredChangelog, same_topic, short_names
from wallaroo.task.remedies import Group, Kind, remedies

OnMismatch = Literal["fail", "state", "group"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one partition when it has been assigned and its stores have been restored.

    `committed` is the group's offset, None if it has none, and `reset` where it then begins; the topic holds
    the offsets from `low` on. `topic_ids` are the ids that topics have now, as far as they are known. `fed`
    are topics that nobody else writes and that hold records, though the group has no offset at all.
    """

    group: Group
    partition: int
    committed: int | None
    metadata: OffsetMetadata | None
    low: int
    reset: int
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    changelogs: Mapping[str, RestoredChangelog] = field(default_factory=dict)
    fed: Sequence[str] = ()

    @property
    def kept(self) -> str:
        """What the tasks keep, in words."""
        return "its position" if self.group.feeds else "the state"

    @property
    def homes(self) -> list[Position]:
        """The positions that are in the changelog of their home, and the last thing there.

        Where nothing else is kept, one that the group's offset does not know of is void: since it was
        written, a version without it has gone on, or the tasks had state.
        """
        if self.group.feeds and self.metadata is not None and self.metadata.hole is None:
            known = short_names(self.changelogs).values() & self.metadata.changelogs.keys()
            if not known:
                return []
        found = self.changelogs.items()
        return [
            c.position for name, c in found if c.position and c.position.home == name and not c.superseded
        ]

    @property
    def position(self) -> Position | None:
        """The position of the state; of several, that which fits the group's offset, or else the furthest."""
        at = self.committed
        return max(self.homes, key=lambda p: (at is not None and p.fits(at), p.next), default=None)


@dataclass(frozen=True, slots=True)
class Start:
    """The offset to start from; with `commit`, group or state do not know of it yet."""

    offset: int
    commit: bool
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a task cannot start, and what leads out."""

    text: str


def compare(facts: Facts) -> Start | Mismatch:
    """Decide where a task starts."""
    for check in (_unfinished_reset, _missing_results, _other_topic, _lost_changelog, _truncated):
        problem = check(facts)
        if problem is not None:
            return problem
    position = facts.position
    if position is None:
        return _without_position(facts)
    left = [name for name, c in facts.changelogs.items() if c.records and name not in position.changelogs]
    if left:
        what = (
            f"{left[0]} holds state that was left behind when its stage was taken out, at an earlier offset"
        )
        return _mismatch(facts, what, "stale", left)
    if facts.committed is None:
        offset = position.resume_offset(facts.low)
        return Start(offset, True, _described(facts, f"going on at {offset}, where {facts.kept} is"))
    if position.fits(facts.committed):
        # A stage that is new, or was taken out, is to be known in partitions without input as well.
        commit = facts.metadata is None or position.changelogs.keys() != facts.changelogs.keys()
        return Start(facts.committed, commit)
    feeds, back = facts.group.feeds, facts.committed < position.next
    if feeds:
        given = f"records that {feeds} has been given would be counted again behind it"
        what = given if back else f"records would be left out that {feeds} has not been given"
    elif back:
        what = "records that the state has counted would be counted again"
    else:
        what = "records that the state has not counted would be left out"
    return _mismatch(facts, what, "moved")


def override(facts: Facts, on_mismatch: OnMismatch) -> int | None:
    """The offset that an operator has chosen in spite of a mismatch; None if there is no such offset."""
    if on_mismatch == "fail":
        return None
    metadata, position = facts.metadata, facts.position
    if metadata is not None and metadata.in_reset:
        return None
    id_now = facts.topic_ids.get(facts.group.topic)
    if on_mismatch == "group":
        is_of_topic = metadata is None or same_topic(metadata.topic_id, id_now)
        return facts.committed if is_of_topic and facts.committed is not None else facts.reset
    if position is None or position.topic != facts.group.topic or not same_topic(position.topic_id, id_now):
        return None
    return position.resume_offset(facts.low)


def _unfinished_reset(facts: Facts) -> Mismatch | None:
    if facts.metadata is None or not facts.metadata.in_reset:
        return None
    what = "a reset of the application was interrupted, and may have deleted state; stop the service, then "
    return Mismatch(f"{_described(facts, what)}run the same `wallaroo reset` again, which ends it")


def _missing_results(facts: Facts) -> Mismatch | None:
    hole = None if facts.metadata is None else facts.metadata.hole
    if hole is None:
        return None
    what = f"results from offset {hole} on are missing: a late request ended their transaction without them"
    return _mismatch(facts, what, "hole", hole=hole)


def _other_topic(facts: Facts) -> Mismatch | None:
    topic, position = facts.group.topic, facts.position
    if position is not None and position.topic != topic:
        return _mismatch(facts, f"{facts.kept} belongs to the topic {position.topic}", "other input")
    recorded = [origin.topic_id for origin in (facts.metadata, position) if origin is not None]
    if all(same_topic(topic_id, facts.topic_ids.get(topic)) for topic_id in recorded):
        return None
    what = f"the topic {topic} was deleted and made anew: these offsets are not its own"
    return _mismatch(facts, what, "other input")


def _lost_changelog(facts: Facts) -> Mismatch | None:
    """A changelog that is another topic than that in use, or has lost the position."""
    metadata, position, short = facts.metadata, facts.position, short_names(facts.changelogs)
    for name in facts.changelogs:
        now = facts.topic_ids.get(name)
        in_metadata = None if metadata is None else metadata.changelogs.get(short.get(name, ""))
        in_position = None if position is None else position.changelogs.get(name)
        recorded = None if in_position is None else in_position.topic_id
        if not (same_topic(in_metadata, now) and same_topic(recorded, now)):
            what = f"the changelog {name} was deleted and made anew: {facts.kept} is lost"
            return _mismatch(facts, what, "lost")
    if position is not None:
        return None
    named = {c.position.home for c in facts.changelogs.values() if c.position is not None}
    gone = [n for n in named if n in facts.changelogs and facts.changelogs[n].position is None]
    if metadata is not None and not any(c.superseded for c in facts.changelogs.values()):
        in_use = [n for n in facts.changelogs if short.get(n) in metadata.changelogs]
        gone += [n for n in in_use if facts.changelogs[n].position is None]
    if gone:
        what = f"the changelog {gone[0]} has lost its last records: {facts.kept} is lost"
        return _mismatch(facts, what, "lost")
    return None


def _truncated(facts: Facts) -> Mismatch | None:
    if facts.group.feeds and facts.homes:
        # All that is kept is there.
        return None
    for name, changelog in facts.changelogs.items():
        known = [c.position.changelogs.get(name) for c in facts.changelogs.values() if c.position is not None]
        accepted = max((origin.log_start for origin in known if origin is not None), default=0)
        if changelog.log_start > accepted:
            what = (
                f"the changelog {name} begins at offset {changelog.log_start}: records were deleted from it "
                f"(a compacted topic keeps its beginning), and {facts.kept} is lost"
            )
            return _mismatch(facts, what, "lost")
    return None


def _without_position(facts: Facts) -> Start | Mismatch:
    """State of a version that wrote no positions, state of stages that are new, or none at all."""
    if facts.committed is not None:
        return Start(facts.committed, True)
    filled = [name for name, changelog in facts.changelogs.items() if changelog.records]
    if filled:
        what = f"{filled[0]} holds state, and nothing says up to which record"
        return _mismatch(facts, what, "unknown")
    if facts.fed:
        what = f"{facts.fed[0]} holds what was read before, and it would be counted again behind that"
        return _mismatch(facts, what, "unknown")
    return Start(facts.reset, True)


def _mismatch(
    facts: Facts,
    what: str,
    kind: Kind,
    stale: Sequence[str] = (),
    hole: int = 0,
) -> Mismatch:
    ways = remedies(facts.group, facts.partition, list(facts.changelogs), kind, stale, hole)
    return Mismatch(f"{_described(facts, what)}; {ways}")


def _described(facts: Facts, what: str) -> str:
    group, position = facts.group, facts.position
    committed = "has no offset" if facts.committed is None else f"is at offset {facts.committed}"
    text = f"{group.topic}[{facts.partition}]: the group {group.name} {committed}"
    if facts.changelogs:
        kept, unknown = ("position", "is unknown") if group.feeds else ("state", "has no position")
        text += f", its {kept} " + (unknown if position is None else f"is at offset {position.next}")
        if position is not None and position.topic != group.topic:
            text += f" of {position.topic}"
        names = ", ".join(facts.changelogs)
        text += f" ({names})"
    return f"{text}; {what}"
