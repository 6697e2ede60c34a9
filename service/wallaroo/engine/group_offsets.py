"""What the groups of an application read, how far they have committed, and who else owns partitions."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.lag import Density, Reached
from wallaroo.engine.lag_meter import ends_of
from wallaroo.kafka.clients import offsets_consumer, sample_consumer
from wallaroo.kafka.members import GroupMembers, owner_of
from wallaroo.kafka.offsets import log_starts
from wallaroo.kafka.sample import Sampler
from wallaroo.record import Place
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology

_REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class GroupInput:
    """What one group reads; `name` is that of its sub-topology or sink, `has_batches` as in LagBook."""

    name: str
    group: str
    topic: str
    has_batches: bool
    from_start: bool


def inputs_of(topology: Topology, settings: Settings) -> list[GroupInput]:
    """What all groups of an application read."""
    earliest = settings.auto_offset_reset == "earliest"
    subs = [
        GroupInput(
            sub.name,
            sub.group,
            sub.input.topic,
            has_batches=not sub.input.is_source,
            from_start=sub.input.is_internal or earliest,
        )
        for sub in topology.sub_topologies
    ]
    return subs + [
        GroupInput(each.name, each.group, each.outbox, has_batches=False, from_start=True)
        for each in topology.deliveries
    ]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is asked of the cluster."""

    settings: Settings
    admin: AdminClient
    members: GroupMembers
    application_id: str
    instance: str

    def others(self, read: GroupInput) -> list[frozenset[Place]]:
        """What each member of another instance owns."""
        prefix = f"{self.application_id}-{read.name}-"
        members = [(owner_of(member, prefix), member.partitions) for member in self.members(read.group)]
        return [places for owner, places in members if owner.instance != self.instance]

    def committed(self, group: str, places: Sequence[Place]) -> dict[Place, int]:
        """Where the group has committed; KafkaException if these offsets are part of an open transaction."""
        wanted = [TopicPartition(*place) for place in places]
        client_id = f"{self.application_id}-{self.instance}-lag"
        with closing(offsets_consumer(self.settings, group, client_id)) as consumer:
            found = consumer.committed(wanted, timeout=_REQUEST_SECONDS)
        return {(tp.topic, tp.partition): tp.offset for tp in found if tp.error is None and tp.offset >= 0}

    def reached(self, read: GroupInput, places: Sequence[Place]) -> dict[Place, Reached]:
        """Where the group has committed; partitions without an offset from where it would begin."""
        return self.reached_by(read, places, self.committed(read.group, places))

    def reached_by(
        self, read: GroupInput, places: Sequence[Place], committed: Mapping[Place, int]
    ) -> dict[Place, Reached]:
        """The same, where it is known what the group has committed."""
        done = dict(committed)
        fresh = [place for place in places if place not in done]
        if fresh and read.from_start:
            done |= log_starts(self.admin, fresh, _REQUEST_SECONDS)
        return {place: Reached(offset, Density()) for place, offset in done.items()}

    def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return ends_of(self.admin, places)

    def sampler(self, clock: Clock) -> Sampler:
        client_id = f"{self.application_id}-{self.instance}-supervisor"
        return Sampler(partial(sample_consumer, self.settings, client_id), clock)
