"""How far the groups of an application are, and who is in them: by what Kafka says, whatever runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import Clock, SystemClock
from wallaroo.engine.group_offsets import Cluster, GroupInput, inputs_of
from wallaroo.engine.lag import Density, LagBook, Reached
from wallaroo.engine.lag_meter import lags
from wallaroo.kafka.members import Member, owner_of
from wallaroo.kafka.offsets import committed_ends, log_starts
from wallaroo.kafka.open_transactions import Stall, watched
from wallaroo.kafka.topics import survey
from wallaroo.record import Place
from wallaroo.task.record_batch import one_record, records_in
from wallaroo.topology.model import Topology

_REQUEST_SECONDS = 10.0
# What the client says of offsets that are part of a transaction.
_UNSTABLE = (KafkaError._TIMED_OUT, KafkaError.UNSTABLE_OFFSET_COMMIT)  # noqa: SLF001 - the public name for it

Kind = Literal["sub-topology", "delivery", "generator"]


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """A worker in a group, and the partitions that it owns."""

    instance: str
    worker: str
    host: str
    partitions: Sequence[int]


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How far a group is in a partition; offsets are None where there are none, or nobody says.

    `open_at` is where a transaction begins that has not ended, and `open_seconds` for how long it has been
    seen to be.
    """

    partition: int
    owner: str
    committed: int | None
    end: int | None
    lag: int | None
    open_at: int | None = None
    open_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One group; `per_second` is how many offsets it has committed, None at a first look."""

    kind: Kind
    name: str
    group: str
    state: str
    topic: str
    members: Sequence[MemberStatus]
    partitions: Sequence[PartitionStatus]
    problem: str = ""
    per_second: float | None = None

    @property
    def lag(self) -> int | None:
        """Of all partitions; None if no partition has one."""
        known = [each.lag for each in self.partitions if each.lag is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class ApplicationStatus:
    """All groups of an application, the topics that it lacks, and how many dead letters there are."""

    application_id: str
    groups: Sequence[GroupStatus]
    missing_topics: Sequence[str]
    dead_letters_topic: str
    dead_letters: int


def members_of(members: Iterable[Member], prefix: str) -> list[MemberStatus]:
    """The members of a group, whose client ids begin with a prefix, in the order of their names."""
    found = [(owner_of(member, prefix), member) for member in members]
    rows = [
        MemberStatus(
            owner.instance, owner.worker, owner.host, sorted(number for _, number in member.partitions)
        )
        for owner, member in found
    ]
    return sorted(rows, key=lambda each: (each.instance, each.worker))


def owners_by_partition(members: Iterable[MemberStatus]) -> dict[int, str]:
    """Who owns which partition, as `instance/worker`."""
    return {number: f"{each.instance}/{each.worker}" for each in members for number in each.partitions}


def rate(before: Mapping[Place, int], now: Mapping[Place, int], seconds: float) -> float | None:
    """How many offsets a second a group has committed between two looks."""
    both = before.keys() & now.keys()
    if seconds <= 0 or not both:
        return None
    return sum(now[place] - before[place] for place in both) / seconds


@dataclass(slots=True)
class _Looked:
    """What is kept of a group from one look to the next."""

    book: LagBook = field(default_factory=lambda: LagBook(has_batches=True))
    stalls: dict[Place, Stall] = field(default_factory=dict)
    committed: Mapping[Place, int] = field(default_factory=dict)
    at: float = 0.0


class StatusWatch:
    """Looks at an application, as often as it is asked to."""

    def __init__(self, topology: Topology, cluster: Cluster, clock: Clock | None = None) -> None:
        self._topology = topology
        self._cluster = cluster
        self._clock = clock or SystemClock()
        self._sampler = cluster.sampler(self._clock)
        self._inputs = inputs_of(topology, cluster.settings)
        self._looked = {read.group: _Looked() for read in self._inputs}
        self._dead_letters = LagBook(has_batches=True)

    def look(self) -> ApplicationStatus:
        """The application as it is now; KafkaException or TimeoutError if the cluster does not say."""
        topology, cluster = self._topology, self._cluster
        found = survey(cluster.admin, topology, cluster.settings)
        missing = [p.name for p in found.missing]
        groups = [self._group(read, found.existing.get(read.topic, 0)) for read in self._inputs]
        groups += [self._generator(each.name, each.group, each.positions) for each in topology.generators]
        dead = self._count_dead_letters(found.existing.get(topology.dead_letters, 0))
        return ApplicationStatus(topology.application_id, groups, missing, topology.dead_letters, dead)

    def close(self) -> None:
        self._sampler.close()

    def _group(self, read: GroupInput, count: int) -> GroupStatus:
        described = self._cluster.members.describe(read.group)
        members = members_of(described.members, f"{self._topology.application_id}-{read.name}-")
        places = [(read.topic, number) for number in range(count)]
        looked, now = self._looked[read.group], self._clock.monotonic()
        problem, committed = "", None
        try:
            committed = self._cluster.committed(read.group, places) if places else {}
        except KafkaException as error:
            if error.args[0].code() not in _UNSTABLE:
                raise
            problem = "its offsets are part of a transaction that has not ended"
        partitions = self._partitions(read, places, committed, looked, owners_by_partition(members))
        per_second = None
        if committed is not None:
            per_second = rate(looked.committed, committed, now - looked.at)
            looked.committed, looked.at = committed, now
        is_delivery = read.group in {each.group for each in self._topology.deliveries}
        return GroupStatus(
            "delivery" if is_delivery else "sub-topology",
            read.name,
            read.group,
            described.state,
            read.topic,
            members,
            partitions,
            problem,
            per_second,
        )

    def _partitions(
        self,
        read: GroupInput,
        places: Sequence[Place],
        committed: Mapping[Place, int] | None,
        looked: _Looked,
        owners: Mapping[int, str],
    ) -> list[PartitionStatus]:
        if not places:
            return []
        stable = committed_ends(self._cluster.admin, places, _REQUEST_SECONDS)
        ends = self._cluster.ends(places)
        known: Mapping[Place, int] = {}
        if committed is not None:
            reached = self._cluster.reached_by(read, places, committed)
            count = records_in if read.has_batches else one_record
            known = lags(looked.book, reached, ends, self._sampler, count, self._clock)
        now, before = self._clock.monotonic(), looked.stalls
        looked.stalls = {
            place: watched(before.get(place), stable[place], end, now) for place, end in ends.items()
        }
        rows = []
        for place in places:
            stall = looked.stalls.get(place)
            is_open = stall is not None and stall.open
            at, seconds = (stall.offset, now - stall.since) if stall is not None and is_open else (None, 0.0)
            offset = None if committed is None else committed.get(place)
            number = place[1]
            rows.append(
                PartitionStatus(
                    number, owners.get(number, ""), offset, ends.get(place), known.get(place), at, seconds
                )
            )
        return rows

    def _generator(self, name: str, group: str, positions: str) -> GroupStatus:
        described = self._cluster.members.describe(group)
        members = members_of(described.members, f"{self._topology.application_id}-{name}-")
        return GroupStatus("generator", name, group, described.state, positions, members, [])

    def _count_dead_letters(self, count: int) -> int:
        """All of a short topic, of a longer one about so many: samples of it are read."""
        if not count:
            return 0
        places = [(self._topology.dead_letters, number) for number in range(count)]
        starts = log_starts(self._cluster.admin, places, _REQUEST_SECONDS)
        ends = committed_ends(self._cluster.admin, places, _REQUEST_SECONDS)
        begun = {place: Reached(start, Density()) for place, start in starts.items()}
        return sum(lags(self._dead_letters, begun, ends, self._sampler, one_record, self._clock).values())


def has_open(status: ApplicationStatus) -> bool:
    """Whether a transaction is open in any partition, as one is for moments while a service runs."""
    return any(each.open_at is not None for group in status.groups for each in group.partitions)
