"""Remedies: what an operator can do where the group's offset and the state do not belong together.

The commands are those of Apache Kafka, which refuses to change a group that runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["moved", "other input", "lost", "stale", "unknown"]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group and the topic that it reads.

    `keeps_history` says that the topic keeps what has been read, and that nothing else in the application
    would count it twice if it is read again.
    """

    name: str
    topic: str
    servers: str
    keeps_history: bool = True


def remedies(
    group: Group, partition: int, changelogs: Sequence[str], kind: Kind, stale: Sequence[str]
) -> str:
    """What leads out, the mildest first; `stale` are changelogs that hold what is to be deleted."""
    groups = f"kafka-consumer-groups.sh --bootstrap-server {group.servers} --group {group.name}"
    forget = f"{groups} --delete-offsets --topic {group.topic}"
    as_new = f"to read {group.topic} as a new group would: `{forget}`"
    go_on = "to go on at the offset of the group with the state as it is: start once with "
    by_group_only = "--on-position-mismatch group"
    by_group = f"{go_on}`{by_group_only}`"
    anew = _begin_anew(group, changelogs, forget)
    match kind:
        case "stale":
            ways = [f"to begin with empty state there: `{_delete(group, stale)}`", by_group]
        case "moved":
            ways = [f"to go on where the state is: `{forget}`", anew, by_group]
        case "unknown":
            reset = f"{groups} --reset-offsets --execute --topic {group.topic}"
            ways = [
                f"if all had been read, to go on at the end: `{reset} --to-latest`",
                f"to go on at an OFFSET that you know: `{reset}:{partition} --to-offset OFFSET`",
                anew,
                f"to start as a new group would, with the state as it is: `{by_group_only}` once",
            ]
        case "other input" if not changelogs:
            ways = [as_new]
        case "other input":
            ways = [f"{as_new} and, to keep the state, start once with `--on-position-mismatch group`", anew]
        case "lost":
            ways = [anew, by_group]
    return "stop the service, then " + ", or ".join(ways)


def _begin_anew(group: Group, changelogs: Sequence[str], forget: str) -> str:
    if group.keeps_history:
        return f"to begin anew with what {group.topic} holds: `{_delete(group, changelogs)} && {forget}`"
    return "to begin anew with all that the sources hold: start with another `--application-id`"


def _delete(group: Group, topics: Sequence[str]) -> str:
    each = (f"kafka-topics.sh --bootstrap-server {group.servers} --delete --topic {t}" for t in topics)
    return " && ".join(each)
