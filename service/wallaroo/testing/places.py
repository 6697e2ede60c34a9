"""Where things are in a topology: partition counts, outboxes, stages."""

from collections.abc import Mapping

from wallaroo.errors import WallarooParameterError
from wallaroo.topology.model import Stateful, SubTopology, Topology

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


def outbox_of(topology: Topology, address: str) -> str | None:
    """The outbox topic of the TCP sink at `host:port`."""
    found = (d.outbox for d in topology.deliveries if f"{d.host}:{d.port}" == address)
    return next(found, None)


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
