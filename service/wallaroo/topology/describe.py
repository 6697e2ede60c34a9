"""Describe a topology: as text for a terminal, as Mermaid for a page, as JSON for programs."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

from wallaroo.api.durations import format_duration
from wallaroo.topology.model import Carried, Ingest, Repartition, SubTopology, Target, Topology
from wallaroo.topology.steps import Stateful, Step, Store, Update, UpdateMulti, Window

Format = Literal["text", "json", "mermaid"]


def describe(topology: Topology, format: Format = "text") -> str:  # noqa: A002 - the option's name
    """Return the sub-topologies, groups, topics and stores of an application."""
    match format:
        case "text":
            return "\n".join(_text(topology)) + "\n"
        case "json":
            return json.dumps(_to_jsonable(topology), indent=2) + "\n"
        case "mermaid":
            return "\n".join(_mermaid(topology)) + "\n"


def _text(topology: Topology) -> Iterator[str]:
    yield f"Topology {topology.application_id} ({topology.application})"
    for ingest in topology.ingests:
        yield f"  Ingest {ingest.name}"
        yield f"    listens  {_port(ingest)}"
        yield f"    writes   {ingest.topic} (internal)"
    for generator in topology.generators:
        yield f"  Generator {generator.name}"
        yield f"    group    {generator.group}"
        yield f"    keeps    its position in {generator.positions}"
        yield f"    writes   {generator.topic} (internal)"
    for sub in topology.sub_topologies:
        yield f"  Sub-topology {sub.name}"
        yield f"    group    {sub.group}"
        yield f"    reads    {sub.input.topic}{' (internal)' if sub.input.is_internal else ''}"
        for step in sub.steps:
            yield f"    stage    {step.name} ({step.kind}){_state(step)}"
        if sub.timing is not None:
            yield f"    keeps    its watermarks in {sub.timing.store.changelog}"
        if sub.positions is not None:
            yield f"    keeps    its positions in {sub.positions.changelog}"
        for target in sub.targets:
            yield f"    writes   {target.topic} ({target.kind}, by {target.name}){_headers(target)}"
    for delivery in topology.deliveries:
        yield f"  Delivery {delivery.name}"
        yield f"    group    {delivery.group}"
        yield f"    reads    {delivery.outbox} (internal)"
        yield f"    sends    {delivery.receiver}"
    yield f"  Dead letters {topology.dead_letters}"


def _port(ingest: Ingest) -> str:
    protocol = "tcp" if ingest.tls is None else "tls"
    return f"{protocol} {ingest.host}:{ingest.port}" if ingest.listens else "nowhere"


def _state(step: Step) -> str:
    if not isinstance(step, Stateful):
        return ""
    ttl = _ttl(step)
    return f", state in {step.store.changelog}" + ("" if ttl is None else f", ttl {format_duration(ttl)}")


def _ttl(step: Step) -> int | None:
    return step.ttl if isinstance(step, Update | UpdateMulti) else None


def _headers(target: Target) -> str:
    carried = _carried(target)
    names = carried if isinstance(carried, str) else ", ".join(carried)
    return f", carries headers: {names}" if names else ""


def _carried(target: Target) -> Carried:
    """The headers of the source's records that what is written has, too."""
    if isinstance(target, Repartition):
        return target.carries
    return tuple(dict.fromkeys(name for _, names in target.headers for name in names))


def _headers_to_jsonable(target: Target) -> dict[str, Carried]:
    carried = _carried(target)
    return {"headers": carried} if carried else {}


def _to_jsonable(topology: Topology) -> dict[str, Any]:
    return {
        "application": topology.application,
        "application_id": topology.application_id,
        "ingests": [{"name": i.name, "listens": _port(i), "writes": i.topic} for i in topology.ingests],
        "generators": [
            {"name": g.name, "group": g.group, "positions": g.positions, "writes": g.topic}
            for g in topology.generators
        ],
        "sub_topologies": [_sub_topology_to_jsonable(sub) for sub in topology.sub_topologies],
        "deliveries": [
            {"name": d.name, "group": d.group, "reads": d.outbox, "sends": str(d.receiver)}
            for d in topology.deliveries
        ],
        "dead_letters": topology.dead_letters,
    }


def _sub_topology_to_jsonable(sub: SubTopology) -> dict[str, Any]:
    return {
        "name": sub.name,
        "group": sub.group,
        "reads": {"topic": sub.input.topic, "internal": sub.input.is_internal},
        "stages": [_stage_to_jsonable(step) for step in sub.steps],
        "stores": [
            {"name": store.name, "changelog": store.changelog, **_stage(sub, store)}
            for store in sub.stores
            if store is not sub.positions
        ],
        "positions": None if sub.positions is None else sub.positions.changelog,
        "writes": [
            {"topic": t.topic, "kind": t.kind, "by": t.name} | _headers_to_jsonable(t) for t in sub.targets
        ],
    }


def _stage_to_jsonable(step: Step) -> dict[str, Any]:
    ttl = _ttl(step)
    return {"name": step.name, "kind": step.kind} | ({} if ttl is None else {"ttl_ns": ttl})


def _stage(sub: SubTopology, store: Store) -> dict[str, str | None]:
    """Whose store it is, and what is in it; watermarks are of no stage."""
    for step in sub.steps:
        if isinstance(step, Stateful) and step.store is store:
            return {
                "stage": step.name,
                "layout": step.declared.layout if isinstance(step, Window) else "states",
            }
    return {"stage": None, "layout": "watermarks"}


def _mermaid(topology: Topology) -> Iterator[str]:
    yield "flowchart LR"
    for ingest in topology.ingests:
        yield f"  {_node(_port(ingest))}[{_label(_port(ingest))}] --> {_topic(ingest.topic)}"
    for generator in topology.generators:
        yield f"  {_node(generator.name)}[{_label(generator.source)}] --> {_topic(generator.topic)}"
    for number, sub in enumerate(topology.sub_topologies):
        labels = [step.name for step in sub.steps] or [sub.targets[0].name]
        nodes = [f"s{number}n{at}" for at in range(len(labels))]
        yield f"  subgraph s{number}[{_label(sub.group)}]"
        yield from (f"    {node}[{_label(label)}]" for node, label in zip(nodes, labels, strict=True))
        yield "  end"
        yield f"  {_topic(sub.input.topic)} --> {nodes[0]}"
        yield from (f"  {a} --> {b}" for a, b in pairwise(nodes))
        yield from (f"  {nodes[-1]} --> {_topic(target.topic)}" for target in sub.targets)
        for at, step in enumerate(sub.steps):
            if isinstance(step, Stateful):
                yield f"  {nodes[at]} -.- {_store(step.store.changelog)}"
    for delivery in topology.deliveries:
        receiver = str(delivery.receiver)
        yield f"  {_topic(delivery.outbox)} --> {_node(receiver)}[{_label(receiver)}]"


def _node(name: str) -> str:
    return "t_" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in name)


def _topic(name: str) -> str:
    return f"{_node(name)}([{_label(name)}])"


def _store(name: str) -> str:
    return f"{_node(name)}[({_label(name)})]"


def _label(text: str) -> str:
    return '"' + text.replace('"', "#quot;") + '"'
