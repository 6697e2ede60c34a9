"""The compiled form of an application, as values: sub-topologies with their steps, topics and stores.

`kind` is what `wallaroo describe` shows of a target.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from wallaroo.api.tls import ClientTLS, ServerTLS
from wallaroo.topology.fingerprint import fingerprint
from wallaroo.topology.steps import Stateful, Step, Store, Window

# Which headers of the source's record a record has with it: all of them, or those of these names.
Carried = Literal["all"] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repartition:
    """The end of a sub-topology: a topic that is partitioned by the key that `extract` returns.

    Without `extract`, `key` is the key of every record; without either, a record keeps its own.
    `windows` are the first windows over event time that it leads to: they need its watermarks. So do the
    stages with a ttl before these: `ttl` is the shortest of theirs. `carries` are the headers that a later
    stage or sink asks for.
    """

    kind: ClassVar[str] = "repartition"
    name: str
    topic: str
    extract: Callable[..., Any] | None = None
    key: bytes | None = None
    windows: Window | None = None
    takes_context: bool = False
    carries: Carried = ()
    ttl: int | None = None

    @property
    def needs_watermarks(self) -> bool:
        return self.windows is not None or self.ttl is not None


# The headers that outputs have, by the topic of the source that the record came from.
HeadersOfSources = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class ToTopic:
    """The end of a pipeline: encoded records for a Kafka topic; `brokers` are those that its sink names.

    `headers` are those that a record has from its source, if a source carries any.
    """

    kind: ClassVar[str] = "topic"
    name: str
    topic: str
    encode: Callable[..., Any]
    brokers: Sequence[tuple[str, str]] = ()
    takes_context: bool = False
    headers: HeadersOfSources = ()


def server_list(brokers: Iterable[tuple[str, str]]) -> str:
    """Return brokers as a client's `bootstrap.servers`."""
    return ",".join(f"{host}:{port}" for host, port in brokers)


@dataclass(frozen=True, slots=True)
class RemoteTopic:
    """A topic of a cluster that is not the application's own."""

    topic: str
    brokers: tuple[tuple[str, str], ...]

    @property
    def bootstrap_servers(self) -> str:
        return server_list(self.brokers)

    def __str__(self) -> str:
        return f"kafka {self.bootstrap_servers} {self.topic}"


@dataclass(frozen=True, slots=True)
class ToOutbox:
    """The end of a pipeline: encoded records for the outbox topic of a delivery.

    With `remote`, they are for a topic of another cluster, and the encoder may choose a key, a partition and
    headers; `headers` are those that a record has from its source.
    """

    kind: ClassVar[str] = "outbox"
    name: str
    topic: str
    encode: Callable[..., Any]
    remote: RemoteTopic | None = None
    takes_context: bool = False
    headers: HeadersOfSources = ()


Target = Repartition | ToTopic | ToOutbox


@dataclass(frozen=True, slots=True)
class Upstream:
    """A sub-topology that writes to a repartition topic, and its input topic: one task per partition."""

    name: str
    topic: str


@dataclass(frozen=True, slots=True)
class Input:
    """The one topic that a sub-topology reads; without `decode`, values are in the format of internal topics.

    `ingest` says that a TCP port or a generator of this application writes the topic. `event_time` returns
    the time of a message in nanoseconds; without it the record's timestamp counts. `max_future` is how many
    nanoseconds it may be ahead of the wall clock; None means that the setting counts. `upstreams` are the
    sub-topologies that send watermarks. `by_slice` says that a slice may be decoded before its first message
    is processed, because `decode` is not the user's and makes a new object each time. `carry_headers` are the
    headers of a source's records that outputs are to have.
    """

    name: str
    topic: str
    decode: Callable[..., Any] | None = None
    brokers: Sequence[tuple[str, str]] = ()
    ingest: bool = False
    event_time: Callable[[Any], Any] | None = None
    upstreams: tuple[Upstream, ...] = ()
    by_slice: bool = False
    max_future: int | None = None
    takes_context: bool = False
    carry_headers: tuple[str, ...] = ()

    @property
    def has_internal_format(self) -> bool:
        """Whether the values are in the format of internal topics."""
        return self.decode is None

    @property
    def is_source(self) -> bool:
        """Whether messages get their event time here; otherwise sub-topologies write the topic."""
        return self.ingest or not self.has_internal_format

    @property
    def is_internal(self) -> bool:
        """Whether only this application writes and reads the topic."""
        return self.ingest or self.has_internal_format


@dataclass(frozen=True, slots=True)
class Timing:
    """How a sub-topology tracks event time: `store` holds its watermarks; times are nanoseconds.

    The watermark of a source partition without input follows the wall clock after `idle_timeout`, and before,
    unless `slack` is None, that far behind the wall clock; after
    `horizon` the partition holds no window open. Event time may be `max_future` ahead of the wall clock: the
    largest of the `source_bounds`, those of the sources that lead here, of which None is the setting's. If it
    is None, there is no bound.
    """

    store: Store
    idle_timeout: int
    horizon: int
    source_bounds: tuple[int | None, ...] = ()
    max_future: int | None = None
    slack: int | None = None


@dataclass(frozen=True, slots=True)
class SubTopology:
    """What one consumer group runs: inputs, steps in order, and targets for the results.

    `positions` is a store without states, whose changelog says how far the tasks are that have no other.
    """

    name: str
    group: str
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    targets: tuple[Target, ...]
    timing: Timing | None = None
    positions: Store | None = None

    @property
    def input(self) -> Input:
        """The only input; a sub-topology that joins several will have no use for this."""
        [only] = self.inputs
        return only

    @property
    def stores(self) -> tuple[Store, ...]:
        of_stages = [step.store for step in self.steps if isinstance(step, Stateful)]
        timing = None if self.timing is None else self.timing.store
        return tuple(store for store in (*of_stages, timing, self.positions) if store is not None)

    @property
    def hops(self) -> tuple[str, ...]:
        """The repartition topics that it writes."""
        return tuple(target.topic for target in self.targets if isinstance(target, Repartition))

    @property
    def stages(self) -> dict[str, str]:
        """The names of stages, as users know them, by the names of their stores."""
        return {step.store.name: step.name for step in self.steps if isinstance(step, Stateful)}


@dataclass(frozen=True, slots=True)
class Ingest:
    """A TCP port: the payload of each frame that a sender writes to it is written to `topic`.

    `max_size` is the largest payload in bytes, `connections` the maximum number of senders at a time on one
    worker. If `listens` is False, nobody listens, but the records of the topic are processed.
    """

    name: str
    source: str
    topic: str
    host: str
    port: int
    header_length: int
    payload_length: Callable[[bytes], int]
    max_size: int
    connections: int
    listens: bool
    tls: ServerTLS | None = None


@dataclass(frozen=True, slots=True)
class Generator:
    """A user's object whose values are written to `topic`, in one transaction with its position.

    The member of `group` that owns partition 0 of `positions` runs it. All members have the same
    `transactional_id`, so that a new owner fences the old one.
    """

    name: str
    source: str
    group: str
    topic: str
    positions: str
    transactional_id: str
    instance: Any


@dataclass(frozen=True, slots=True)
class TcpReceiver:
    """A receiver that listens on a TCP port."""

    host: str
    port: int
    tls: ClientTLS | None = None

    def __str__(self) -> str:
        return f"{'tcp' if self.tls is None else 'tls'} {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A consumer group that sends the records of an outbox topic to a receiver outside the cluster."""

    name: str
    group: str
    outbox: str
    receiver: TcpReceiver | RemoteTopic


@dataclass(frozen=True, slots=True)
class Topology:
    """A compiled application."""

    application: str
    application_id: str
    dead_letters: str
    sub_topologies: tuple[SubTopology, ...]
    deliveries: tuple[Delivery, ...]
    ingests: tuple[Ingest, ...] = ()
    generators: tuple[Generator, ...] = ()

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """Lines of text that are the same for the same topology, in any process."""
        return fingerprint(self)

    @property
    def stores(self) -> tuple[Store, ...]:
        """The stores that hold states."""
        subs = self.sub_topologies
        return tuple(store for sub in subs for store in sub.stores if store is not sub.positions)

    @property
    def repartitions(self) -> tuple[str, ...]:
        return tuple(read.topic for sub in self.sub_topologies for read in sub.inputs if not read.is_source)

    @property
    def sources(self) -> tuple[Input, ...]:
        return tuple(read for sub in self.sub_topologies for read in sub.inputs if read.is_source)

    @property
    def external_sources(self) -> tuple[Input, ...]:
        return tuple(source for source in self.sources if not source.ingest)

    @property
    def sinks(self) -> tuple[str, ...]:
        topics = (t.topic for sub in self.sub_topologies for t in sub.targets if isinstance(t, ToTopic))
        return tuple(dict.fromkeys(topics))
