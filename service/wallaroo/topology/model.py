"""The compiled form of an application: sub-topologies, their steps, topics and stores, as values."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wallaroo.topology.ingest import Generator, Ingest
from wallaroo.topology.steps import (
    Apply,
    ApplyMulti,
    CheckKey,
    CountWindow,
    RangeWindow,
    Stateful,
    Step,
    Store,
    TimedWindow,
    Update,
    UpdateMulti,
    Window,
)

__all__ = [
    "Apply",
    "ApplyMulti",
    "CheckKey",
    "CountWindow",
    "Delivery",
    "Input",
    "RangeWindow",
    "RemoteTopic",
    "Repartition",
    "Stateful",
    "Step",
    "Store",
    "SubTopology",
    "Target",
    "TcpReceiver",
    "TimedWindow",
    "Timing",
    "ToOutbox",
    "ToTopic",
    "Topology",
    "Update",
    "UpdateMulti",
    "Upstream",
    "Window",
    "server_list",
]


@dataclass(frozen=True, slots=True)
class Repartition:
    """The end of a sub-topology: on to a topic partitioned by the key that `extract` finds.

    With `extract` None, `key` is the key of every record; with both None, the record keeps the one it has.
    `windows` are the first windows over event time that it leads to: they need its watermarks.
    """

    name: str
    topic: str
    extract: Callable[[Any], Any] | None = None
    key: bytes | None = None
    windows: TimedWindow | None = None


@dataclass(frozen=True, slots=True)
class ToTopic:
    """The end of the pipeline: encoded records for a Kafka topic; `brokers` is what its declaration names."""

    name: str
    topic: str
    encode: Callable[[Any], Any]
    brokers: Sequence[tuple[str, str]] = ()


def server_list(brokers: Iterable[tuple[str, str]]) -> str:
    """Brokers as a client's `bootstrap.servers`."""
    return ",".join(f"{host}:{port}" for host, port in brokers)


@dataclass(frozen=True, slots=True)
class RemoteTopic:
    """A topic of another cluster than the application's own."""

    topic: str
    brokers: tuple[tuple[str, str], ...]

    @property
    def bootstrap_servers(self) -> str:
        return server_list(self.brokers)

    def __str__(self) -> str:
        return f"kafka {self.bootstrap_servers} {self.topic}"


@dataclass(frozen=True, slots=True)
class ToOutbox:
    """The end of the pipeline: encoded records for a delivery group, by way of its outbox topic.

    Where they are for a topic of another cluster, their encoder may choose a key and a partition there too.
    """

    name: str
    topic: str
    encode: Callable[[Any], Any]
    remote: RemoteTopic | None = None


Target = Repartition | ToTopic | ToOutbox


@dataclass(frozen=True, slots=True)
class Upstream:
    """A sub-topology that writes a repartition topic, and the topic it reads: one task per partition."""

    name: str
    topic: str


@dataclass(frozen=True, slots=True)
class Input:
    """The one topic that a sub-topology reads; `decode` None means values of our own wire format.

    `ingest` says that we write the topic, but no sub-topology does: a TCP port or a generator. `event_time`
    finds the time of a message, in nanoseconds; without it the record's own counts. `upstreams` are those
    that tell how far they have come. `by_slice` says that a slice may be decoded before its first message is
    processed: `decode` is ours, and makes a new object each time.
    """

    name: str
    topic: str
    decode: Callable[[bytes], Any] | None = None
    brokers: Sequence[tuple[str, str]] = ()
    ingest: bool = False
    event_time: Callable[[Any], Any] | None = None
    upstreams: tuple[Upstream, ...] = ()
    by_slice: bool = False

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
class Timing:
    """How a sub-topology keeps time, where that matters: `store` holds its watermarks. Nanoseconds.

    A source partition that has had no input for `idle_timeout` follows the wall clock; after `horizon`
    everything that it could keep open is closed.
    """

    store: Store
    idle_timeout: int
    horizon: int


@dataclass(frozen=True, slots=True)
class SubTopology:
    """What one consumer group runs: an input, steps in order, and where the results go."""

    name: str
    group: str
    input: Input
    steps: tuple[Step, ...]
    targets: tuple[Target, ...]
    timing: Timing | None = None

    @property
    def stores(self) -> tuple[Store, ...]:
        own = tuple(step.store for step in self.steps if isinstance(step, Stateful))
        return own if self.timing is None else (*own, self.timing.store)

    @property
    def stages(self) -> dict[str, str]:
        """By a store's name, which is that of a topic, the stage whose state is in it, as users know it."""
        return {step.store.name: step.name for step in self.steps if isinstance(step, Stateful)}


@dataclass(frozen=True, slots=True)
class TcpReceiver:
    """Who listens on a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A consumer group that sends what is in an outbox topic to where it belongs, outside the cluster."""

    name: str
    group: str
    outbox: str
    receiver: TcpReceiver | RemoteTopic


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
