"""Where things are in a topology: partition counts, outboxes, stages, sources."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from wallaroo.errors import WallarooParameterError
from wallaroo.task.keys import key_bytes
from wallaroo.topology.model import Generator, Ingest, RemoteTopic, SubTopology, TcpReceiver, Topology
from wallaroo.topology.steps import Stateful
from wallaroo.windows.kinds import open_state

Source = TypeVar("Source", Ingest, Generator)

_DEFAULT_PARTITIONS = 4


def partition_counts(topology: Topology, wanted: int | Mapping[str, int]) -> dict[str, int]:
    """The number of partitions of every topic; a changelog has as many as its sub-topology's input."""
    outboxes = [delivery.outbox for delivery in topology.deliveries]
    sources = [source.topic for source in topology.sources]
    topics = [*sources, *topology.repartitions, *topology.sinks, *outboxes, topology.dead_letters]
    # A generator is one stream in one order.
    single = dict.fromkeys((t for g in topology.generators for t in (g.topic, g.positions)), 1)
    named = dict.fromkeys(topics, wanted) if isinstance(wanted, int) else wanted
    if strange := sorted(named.keys() - set(topics)):
        raise WallarooParameterError(f"there is no topic {strange[0]!r} to give partitions to")
    counts = {topic: named.get(topic, _DEFAULT_PARTITIONS) for topic in topics} | single
    inputs = {s.changelog: sub.input.topic for sub in topology.sub_topologies for s in sub.stores}
    return counts | {changelog: counts[topic] for changelog, topic in inputs.items()}


def outbox_of(topology: Topology, sink: str) -> str | None:
    """The outbox topic of the TCP sink at `host:port`, or of the topic of another cluster."""
    found = (d.outbox for d in topology.deliveries if sink in _names(d.receiver))
    return next(found, None)


def _names(receiver: TcpReceiver | RemoteTopic) -> tuple[str, ...]:
    if isinstance(receiver, TcpReceiver):
        return (f"{receiver.host}:{receiver.port}",)
    return receiver.topic, f"{receiver.bootstrap_servers}/{receiver.topic}"


def stage_of(topology: Topology, stage: str) -> tuple[SubTopology, Stateful]:
    """A stage that keeps state, by the name its decorator was given, and where it runs."""
    stages = {
        step.name: (sub, step)
        for sub in topology.sub_topologies
        for step in sub.steps
        if isinstance(step, Stateful)
    }
    if stage not in stages:
        raise WallarooParameterError(
            f"no stage {stage!r} keeps state; those that do: {', '.join(sorted(stages)) or 'none'}"
        )
    return stages[stage]


def state_of(step: Stateful, stored: Mapping[bytes, Any], key: str | bytes | int | None) -> Any:
    """The state of a stage for a key, of what it has stored; without one, of the only key that there is."""
    if key is None and len(stored) == 1:
        return open_state(step, next(iter(stored.values())))
    found = None if key is None else stored.get(key_bytes(step.name, key))
    return None if found is None else open_state(step, found)


def source_named(source: str, sources: Iterable[Source], kind: str) -> Source:
    """A source that does not begin in Kafka, by the name given to `wallaroo.source`."""
    known = {each.source: each for each in sources}
    if source not in known:
        raise WallarooParameterError(
            f"there is no {kind} {source!r}; there are {', '.join(map(repr, known)) or 'none'}"
        )
    return known[source]
