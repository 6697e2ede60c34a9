"""Remedies: what an operator can do where the group's offset and the state do not belong together.

The commands are those of Apache Kafka, which refuses to change a group that runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["moved", "other input", "lost", "stale", "unknown", "hole"]

_BY_GROUP = "--on-position-mismatch group"


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group and the topic that it reads.

    `keeps_history` says that the topic keeps what has been read, and that nothing else in the application
    would count it twice if it is read again. `feeds` is the repartition topic that tasks without state write:
    their position is all that they keep.
    """

    name: str
    topic: str
    servers: str
    keeps_history: bool = True
    feeds: str = ""


def remedies(
    group: Group, partition: int, changelogs: Sequence[str], kind: Kind, stale: Sequence[str], hole: int
) -> str:
    """What leads out, the mildest first; `stale` are to be deleted, `hole` is where missing results begin."""
    groups = f"kafka-consumer-groups.sh --bootstrap-server {group.servers} --group {group.name}"
    forget = f"{groups} --delete-offsets --topic {group.topic}"
    as_new = f"to read {group.topic} as a new group would: `{forget}`"
    as_it_is = "all the same" if group.feeds else "with the state as it is"
    by_group = f"to go on at the offset of the group {as_it_is}: start once with `{_BY_GROUP}`"
    reset = f"{groups} --reset-offsets --execute --topic {group.topic}"
    at_offset = f"to go on at an OFFSET that you know: `{reset}:{partition} --to-offset OFFSET`"
    anew = _begin_anew(group, changelogs, forget)
    match kind:
        case "hole":
            ways = _beside_a_hole(f"{reset}:{partition} --to-offset {hole}")
        case "stale":
            ways = [f"to begin with empty state there: `{_delete(group, stale)}`", by_group]
        case "moved":
            what = "position" if group.feeds else "state"
            ways = [f"to go on where the {what} is: `{forget}`", anew, by_group]
        case "unknown":
            ways = [
                f"if all had been read, to go on at the end: `{reset} --to-latest`",
                at_offset,
                anew,
                f"to start as a new group would, {as_it_is}: `{_BY_GROUP}` once",
            ]
        case "other input" if not changelogs:
            ways = [as_new]
        case "other input" if group.feeds:
            ways = [f"{as_new}, then start once with `{_BY_GROUP}`", anew]
        case "other input":
            ways = [f"{as_new} and, to keep the state, start once with `{_BY_GROUP}`", anew]
        case "lost" if group.feeds:
            ways = [by_group, f"{at_offset}, then start once with `{_BY_GROUP}`", anew]
        case "lost":
            ways = [anew, by_group]
    return "stop the service, then " + ", or ".join(ways)


def _beside_a_hole(again: str) -> list[str]:
    return [
        f"to process these records again (some results may then be there twice): `{again}`",
        f"to go on without these results: start once with `{_BY_GROUP}`",
    ]


def _begin_anew(group: Group, changelogs: Sequence[str], forget: str) -> str:
    if group.keeps_history:
        return f"to begin anew with what {group.topic} holds: `{_delete(group, changelogs)} && {forget}`"
    return "to begin anew with all that the sources hold: start with another `--application-id`"


def _delete(group: Group, topics: Sequence[str]) -> str:
    each = (f"kafka-topics.sh --bootstrap-server {group.servers} --delete --topic {t}" for t in topics)
    return " && ".join(each)
