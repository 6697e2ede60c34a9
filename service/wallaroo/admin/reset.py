"""What a reset of an application changes: groups, topics, and where its sources are read from. Pure.

Rules for whoever edits this file:
1. State, positions and internal topics go together, and the offsets last: what is left in between is refused
   by every start (admin/resetting.py).
2. What other applications write, and what a TCP source has taken in, is a source: it is read again, not
   deleted. What a generator has made is made again, where it begins anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from wallaroo.errors import SettingsError
from wallaroo.record import Place
from wallaroo.topology.model import Generator, Topology

Where = Literal["earliest", "latest", "time", "offsets"]


@dataclass(frozen=True, slots=True)
class Goal:
    """Where sources are to be read from: `time_ms` counts for a time, `offsets` for offsets."""

    where: Where
    time_ms: int = 0
    offsets: Mapping[Place, int] | None = None


@dataclass(frozen=True, slots=True)
class ResetPlan:
    """What a reset does, by name; each tuple in the order in which it is done.

    `moved` are groups that read a source, `forgotten` those whose input is deleted, each with its topic.
    `idle` are groups that must have no members either. `outboxes` are read by the groups of deliveries.
    """

    moved: Mapping[str, str]
    forgotten: Mapping[str, str]
    idle: tuple[str, ...]
    changelogs: tuple[str, ...]
    repartitions: tuple[str, ...]
    generator_positions: tuple[str, ...]
    generated: tuple[str, ...]
    outboxes: Mapping[str, str]
    sinks: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """All groups of the application."""
        return (*self.moved, *self.forgotten, *self.outboxes, *self.idle)

    @property
    def phases(self) -> tuple[tuple[str, ...], ...]:
        """The topics to delete; those of a phase only when those of the one before are gone.

        With a topic, Kafka forgets the offsets in it, and with them the marks that keep a service from
        starting. So states are gone before the topics that they were made of, and a generator has lost its
        position before its values.
        """
        return self.changelogs, self.repartitions, self.generator_positions, self.generated


def plan_reset(topology: Topology, goal: Goal) -> ResetPlan:
    """What a reset of an application does."""
    anew: tuple[Generator, ...] = topology.generators if goal.where == "earliest" else ()
    generated = {each.topic for each in anew}
    inputs = {sub.group: sub.input for sub in topology.sub_topologies}
    is_kept = {group: read.is_source and read.topic not in generated for group, read in inputs.items()}
    return ResetPlan(
        {group: read.topic for group, read in inputs.items() if is_kept[group]},
        {group: read.topic for group, read in inputs.items() if not is_kept[group]},
        tuple(each.group for each in topology.generators),
        tuple(store.changelog for sub in topology.sub_topologies for store in sub.stores),
        topology.repartitions,
        tuple(each.positions for each in anew),
        tuple(each.topic for each in anew),
        {delivery.group: delivery.outbox for delivery in topology.deliveries},
        topology.sinks,
    )


def given_offsets(texts: Iterable[str]) -> dict[Place, int]:
    """TOPIC:PARTITION=OFFSET each; raises SettingsError for what is none."""
    found: dict[Place, int] = {}
    for text in texts:
        place, equals, offset = text.partition("=")
        topic, colon, number = place.rpartition(":")
        if not (equals and colon and topic and number.isdecimal() and offset.isdecimal()):
            raise SettingsError(f"--to-offset takes TOPIC:PARTITION=OFFSET, as payments:0=1500, not {text!r}")
        found[topic, int(number)] = int(offset)
    return found


def check_offsets(
    wanted: Mapping[Place, int], starts: Mapping[Place, int], ends: Mapping[Place, int]
) -> None:
    """Raise SettingsError unless there is an offset for every partition of a source, which it holds."""
    if strange := sorted(wanted.keys() - starts.keys()):
        topics = ", ".join(sorted({topic for topic, _ in starts}))
        raise SettingsError(
            f"--to-offset names {_named(strange)}, which is no partition of a source; sources are {topics}"
        )
    if missing := sorted(starts.keys() - wanted.keys()):
        raise SettingsError(
            f"--to-offset names no offset for {_named(missing)}: state is deleted as a whole, so every "
            "partition of every source needs one"
        )
    for place, offset in sorted(wanted.items()):
        if not starts[place] <= offset <= ends[place]:
            raise SettingsError(
                f"{_named([place])} holds the offsets {starts[place]} to {ends[place]}, not {offset}"
            )


def _named(places: Iterable[Place]) -> str:
    return ", ".join(f"{topic}:{number}" for topic, number in places)
