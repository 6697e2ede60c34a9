"""What a new version finds on the cluster of an old one: both as `describe` gives them to programs.

The rules are those of docs/tutorial/upgrading.md. Nothing is asked of a broker: what the number of partitions
does, the start says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wallaroo.api.durations import format_duration

Description = Mapping[str, Any]


class Effect(StrEnum):
    """What becomes of something on the cluster."""

    CREATED = "created"
    RENAMED = "renamed"
    LEFT_BEHIND = "left behind"
    REPROCESSED = "reprocessed"
    REFUSED = "refused"
    EXPIRES = "expires"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, on the cluster, and what the new version makes of it."""

    effect: Effect
    what: str
    text: str
    loses_state: bool = False


@dataclass(frozen=True, slots=True)
class _Stored:
    """A store, and what it is made from."""

    stage: str
    layout: str
    changelog: str
    input: str
    ttl: int | None


def compare(before: Description, after: Description) -> list[Change]:
    """What starting `after` where `before` ran does to groups, topics and state."""
    return [
        *_application(before, after),
        *_states(_stores(before), _stores(after)),
        *_groups(before, after),
        *_topics(before, after),
    ]


def _application(before: Description, after: Description) -> Iterator[Change]:
    old, new = before["application_id"], after["application_id"]
    if old != new:
        text = f"was {old!r}: the new version has groups, topics and states of its own, and begins anew"
        yield Change(Effect.RENAMED, f"application {new!r}", text)


def _states(before: Mapping[str, _Stored], after: Mapping[str, _Stored]) -> Iterator[Change]:
    gone = [store for changelog, store in before.items() if changelog not in after]
    for changelog, store in after.items():
        old = before.get(changelog)
        if old is not None:
            yield from _kept(old, store)
        elif (former := _former(store, gone)) is not None:
            gone.remove(former)
            text = (
                f"was probably {former.stage!r}: begins anew, {former.changelog} stays behind; keep the name"
            )
            yield Change(Effect.RENAMED, f"state of {store.stage!r}", text, loses_state=True)
        else:
            yield Change(Effect.CREATED, f"state of {store.stage!r}", f"begins empty, in {changelog}")
    for store in gone:
        text = f"nothing reads {store.changelog} any more; it stays until somebody deletes it"
        yield Change(Effect.LEFT_BEHIND, f"state of {store.stage!r}", text, loses_state=True)


def _former(store: _Stored, gone: list[_Stored]) -> _Stored | None:
    """The store that was probably renamed: the only one that is gone and looks the same."""
    alike = [old for old in gone if (old.layout, old.input) == (store.layout, store.input)]
    return alike[0] if len(alike) == 1 else None


def _kept(old: _Stored, new: _Stored) -> Iterator[Change]:
    what = f"state of {new.stage!r}"
    if old.layout != new.layout:
        text = f"was {old.layout}, is {new.layout}: give the stage a new name, or take the change back"
        yield Change(Effect.REFUSED, what, text)
    if new.ttl is not None and (old.ttl is None or new.ttl < old.ttl):
        age = "the age of what is stored counts from the start" if old.ttl is None else "what is older ends"
        text = f"ends {format_duration(new.ttl)} after the latest record of its key from now on; {age}"
        yield Change(Effect.EXPIRES, what, text)
    if old.input != new.input:
        text = (
            f"was made from {old.input}, and is to go on from {new.input}: stop the producers, wait until "
            "the lag is 0, and start with --on-position-mismatch group"
        )
        yield Change(Effect.REFUSED, what, text)


def _groups(before: Description, after: Description) -> Iterator[Change]:
    known, kept = _groups_of(before), _stores(before).keys() & _stores(after).keys()
    for sub in after["sub_topologies"]:
        topic = sub["reads"]["topic"]
        if sub["group"] in known or any(store["changelog"] in kept for store in sub["stores"]):
            continue
        if sub["reads"]["internal"]:
            text = f"is new, and reads the internal topic {topic} from its beginning"
            yield Change(Effect.CREATED, f"group {sub['group']}", text)
        else:
            text = f"is new, and reads {topic} from where auto_offset_reset says: by default all of it"
            yield Change(Effect.REPROCESSED, f"group {sub['group']}", text)
    for each in after["generators"] + after["deliveries"]:
        if each["group"] not in known:
            yield Change(Effect.CREATED, f"group {each['group']}", "is new, and begins at the beginning")
    for group in sorted(known - _groups_of(after)):
        text = "nobody is in it any more; Kafka forgets its offsets after a week"
        yield Change(Effect.LEFT_BEHIND, f"group {group}", text)


def _topics(before: Description, after: Description) -> Iterator[Change]:
    old, new = _topics_of(before), _topics_of(after)
    for topic in sorted(new.keys() - old.keys()):
        yield Change(Effect.CREATED, f"topic {topic}", f"{new[topic]}, unless it is there")
    for topic in sorted(old.keys() - new.keys()):
        text = f"{old[topic]}: nothing of it is used any more"
        if old[topic] in _TRANSIT:
            text += "; what has not been read is lost, so let the lag be 0 before"
        yield Change(Effect.LEFT_BEHIND, f"topic {topic}", text)


_TRANSIT = ("repartition topic", "outbox topic", "ingest topic")


def _topics_of(description: Description) -> dict[str, str]:
    """Every topic but changelogs, with what it is."""
    found = {description["dead_letters"]: "dead letters"}
    found |= {each["writes"]: "ingest topic" for each in description["ingests"] + description["generators"]}
    for sub in description["sub_topologies"]:
        found.setdefault(sub["reads"]["topic"], "source topic")
        for target in sub["writes"]:
            found[target["topic"]] = "sink topic" if target["kind"] == "topic" else f"{target['kind']} topic"
    return found


def _groups_of(description: Description) -> set[str]:
    parts = description["sub_topologies"] + description["generators"] + description["deliveries"]
    return {each["group"] for each in parts}


def _ttl(sub: Description, store: Description) -> int | None:
    found = [each.get("ttl_ns") for each in sub["stages"] if each["name"] == store["stage"]]
    return next(iter(found), None)


def _stores(description: Description) -> dict[str, _Stored]:
    return {
        store["changelog"]: _Stored(
            store["stage"], store["layout"], store["changelog"], sub["reads"]["topic"], _ttl(sub, store)
        )
        for sub in description["sub_topologies"]
        for store in sub["stores"]
        if store["stage"] is not None
    }
