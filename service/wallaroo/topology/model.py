"""The compiled form of an application: sub-topologies, their steps, topics and stores, as values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wallaroo.topology.ingest import Generator, Ingest


@dataclass(frozen=True, slots=True)
class Store:
    """Keyed state of one stage, mirrored in a compacted changelog topic."""

    name: str
    changelog: str
    initial: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Apply:
    """A stateless computation: one value in, one or none out."""

    name: str
    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ApplyMulti:
    """A stateless computation: one value in, a list or None out."""

    name: str
    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Update:
    """A state computation: one value and the key's state in, one or none out."""

    name: str
    function: Callable[[Any, Any], Any]
    store: Store


@dataclass(frozen=True, slots=True)
class UpdateMulti:
    """A state computation: one value and the key's state in, a list or None out."""

    name: str
    function: Callable[[Any, Any], Any]
    store: Store


@dataclass(frozen=True, slots=True)
class CheckKey:
    """The producers promised to partition by this key: every record must keep the promise."""

    name: str
    extract: Callable[[Any], Any]


Step = Apply | ApplyMulti | Update | UpdateMulti | CheckKey


@dataclass(frozen=True, slots=True)
class Repartition:
    """The end of a sub-topology: on to a topic partitioned by the key that `extract` finds.

    With `extract` None, `key` is the key of every record; with both None, the record keeps the one it has.
    """

    name: str
    topic: str
    extract: Callable[[Any], Any] | None = None
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class ToTopic:
    """The end of the pipeline: encoded records for a Kafka topic."""

    name: str
    topic: str
    encode: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ToOutbox:
    """The end of the pipeline: encoded records for a delivery group, by way of its outbox topic."""

    name: str
    topic: str
    encode: Callable[[Any], Any]


Target = Repartition | ToTopic | ToOutbox


@dataclass(frozen=True, slots=True)
class Input:
    """The one topic that a sub-topology reads; `decode` None means values of our own wire format.

    `ingest` says that we write the topic, but no sub-topology does: a TCP port or a generator.
    """

    name: str
    topic: str
    decode: Callable[[bytes], Any] | None = None
    brokers: Sequence[tuple[str, str]] = ()
    ingest: bool = False

    @property
    def internal(self) -> bool:
        """Whether the values are of our own wire format."""
        return self.decode is None

    @property
    def is_source(self) -> bool:
        """Whether messages begin here, and with them their time; otherwise other sub-topologies write it."""
        return self.ingest or not self.internal

    @property
    def is_ours(self) -> bool:
        """Whether nobody but this application writes or reads the topic."""
        return self.ingest or self.internal


@dataclass(frozen=True, slots=True)
class SubTopology:
    """What one consumer group runs: an input, steps in order, and where the results go."""

    name: str
    group: str
    input: Input
    steps: tuple[Step, ...]
    targets: tuple[Target, ...]

    @property
    def stores(self) -> tuple[Store, ...]:
        return tuple(step.store for step in self.steps if isinstance(step, Update | UpdateMulti))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A consumer group that sends what is in an outbox topic to a TCP receiver."""

    name: str
    group: str
    outbox: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole application, compiled."""

    application: str
    application_id: str
    dead_letters: str
    sub_topologies: tuple[SubTopology, ...]
    deliveries: tuple[Delivery, ...]
    ingests: tuple[Ingest, ...] = ()
    generators: tuple[Generator, ...] = ()

    @property
    def stores(self) -> tuple[Store, ...]:
        return tuple(store for sub in self.sub_topologies for store in sub.stores)

    @property
    def repartitions(self) -> tuple[str, ...]:
        return tuple(sub.input.topic for sub in self.sub_topologies if not sub.input.is_source)

    @property
    def sources(self) -> tuple[Input, ...]:
        return tuple(sub.input for sub in self.sub_topologies if sub.input.is_source)

    @property
    def external_sources(self) -> tuple[Input, ...]:
        return tuple(source for source in self.sources if not source.ingest)

    @property
    def sinks(self) -> tuple[str, ...]:
        topics = (t.topic for sub in self.sub_topologies for t in sub.targets if isinstance(t, ToTopic))
        return tuple(dict.fromkeys(topics))
