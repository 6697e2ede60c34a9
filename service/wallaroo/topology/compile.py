"""Compile a declared pipeline into sub-topologies.

Rules for whoever edits this file:
1. A key change ends a sub-topology: all branches write to one repartition topic, which one sub-topology
   reads.
2. A key change becomes a topic only when the next stage is known, whose name may become part of the topic's.
3. A keyed stage reads exactly one topic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wallaroo.api import stages, steps
from wallaroo.api.pipeline import Application
from wallaroo.api.sinks import DefaultKafkaSinkCLIParser, KafkaSinkConfig, SinkConfig, TCPSinkConfig
from wallaroo.api.windows import Windows
from wallaroo.errors import TopologyError
from wallaroo.topology.model import (
    Delivery,
    Generator,
    Ingest,
    Input,
    Repartition,
    SubTopology,
    Target,
    TcpReceiver,
    ToOutbox,
    Topology,
    ToTopic,
)
from wallaroo.topology.names import Names, slug
from wallaroo.topology.remote_sinks import reach_other_clusters
from wallaroo.topology.sources import compile_source, distinct_ports
from wallaroo.topology.steps import (
    Apply,
    ApplyMulti,
    CheckKey,
    Step,
    Store,
    Update,
    UpdateMulti,
    Window,
)
from wallaroo.topology.timing import with_timing

# Nanoseconds, so that a sum with a timestamp fits into a signed 64-bit integer.
_LONGEST = 2**62
_COLLECT_KEY = b"collect"


@dataclass(frozen=True, slots=True)
class _KeyChange:
    """A key change without a repartition topic as yet."""

    name: str
    extract: Callable[..., Any] | None = None
    key: bytes | None = None
    takes_context: bool = False


@dataclass(frozen=True, slots=True)
class _Branch:
    """A sub-topology without targets as yet."""

    name: str
    input: Input
    partitioned_by: stages.KeyExtractor | None = None
    steps: tuple[Step, ...] = ()
    keyed: bool = False
    change: _KeyChange | None = None


def compile_topology(
    application: Application,
    application_id: str | None = None,
    args: Sequence[str] = (),
    bootstrap_servers: str | None = None,
) -> Topology:
    """Compile an application.

    `application_id` defaults to the slug of the application's name. The `Default...CLIParser` configurations
    read their topics from `args`. `bootstrap_servers` are the brokers that the operator has set, if any: a
    Kafka sink that names those of another cluster goes through an outbox.

    Raises TopologyError if the pipeline cannot run as it is declared.
    """
    identity = application_id or slug(application.name)
    compiler = _Compiler(Names(identity), args)
    compiler.compile(application.pipeline)
    finished, remote = reach_other_clusters(compiler.finished, compiler.names, bootstrap_servers)
    return Topology(
        application=application.name,
        application_id=identity,
        dead_letters=compiler.names.dead_letters(),
        sub_topologies=_with_positions(with_timing(finished, compiler.names), compiler.names),
        deliveries=(*compiler.deliveries, *remote),
        ingests=distinct_ports(w for w in compiler.writers if isinstance(w, Ingest)),
        generators=tuple(w for w in compiler.writers if isinstance(w, Generator)),
    )


class _Compiler:
    def __init__(self, names: Names, args: Sequence[str]) -> None:
        self.names = names
        self.args = args
        self.finished: list[SubTopology] = []
        self.deliveries: list[Delivery] = []
        self.writers: list[Ingest | Generator] = []

    def compile(self, pipeline: steps.PipelineLike) -> list[_Branch]:
        branches = self._origin(pipeline.origin)
        for step in pipeline.steps:
            branches = self._step(step, branches)
        return branches

    def _origin(self, origin: steps.Source | steps.Merge) -> list[_Branch]:
        if isinstance(origin, steps.Merge):
            return self.compile(origin.left) + self.compile(origin.right)
        compiled = compile_source(origin, self.names, self.args)
        if compiled.writer is not None:
            self.writers.append(compiled.writer)
        return [_Branch(compiled.name, compiled.input, partitioned_by=compiled.partitioned_by)]

    def _step(self, step: steps.Step, branches: list[_Branch]) -> list[_Branch]:
        match step:
            case steps.To(stage):
                return self._stage(stage, branches)
            case steps.KeyBy(extractor):
                return [_change_key(branch, extractor) for branch in branches]
            case steps.Collect():
                change = _KeyChange("collect", key=_COLLECT_KEY)
                return [replace(branch, change=change) for branch in branches]
            case steps.ToSinks(sinks):
                return self._sinks(sinks, branches)

    def _stage(self, stage: steps.Stage, branches: list[_Branch]) -> list[_Branch]:
        stateful = isinstance(stage, stages.StateComputation | Windows)
        branches = self._apply_key_changes(branches, stage.name(), stateful=stateful)
        step = self._compiled(stage)
        return [replace(branch, steps=(*branch.steps, step)) for branch in branches]

    def _compiled(self, stage: steps.Stage) -> Step:
        name = stage.name()
        match stage:
            case Windows():
                if stage.duration is not None and stage.duration >= _LONGEST:
                    raise TopologyError(
                        f"{name!r}: its windows and their delay add up to {stage.duration} nanoseconds, "
                        "more than 146 years; they are the unit: see wallaroo.seconds(...) and its like"
                    )
                return Window(name, stage, self._store(name, stage.aggregation.initial_accumulator))
            case stages.StateComputationMulti():
                store = self._store(name, stage.initial_state)
                return UpdateMulti(name, stage.compute_multi, store, stage.takes_context, stage.ttl)
            case stages.StateComputation():
                store = self._store(name, stage.initial_state)
                return Update(name, stage.compute, store, stage.takes_context, stage.ttl)
            case stages.ComputationMulti():
                return ApplyMulti(name, stage.compute_multi, stage.takes_context)
            case stages.Computation():
                return Apply(name, stage.compute, stage.takes_context)

    def _store(self, name: str, initial: Callable[[], Any]) -> Store:
        short = slug(name)
        return Store(short, self.names.claim(short, "changelog", f"the state of {name!r}"), initial)

    def _apply_key_changes(self, branches: list[_Branch], following: str, *, stateful: bool) -> list[_Branch]:
        """Make the key changes that were declared, or that the stage named `following` needs."""
        if any(branch.change for branch in branches):
            return [self._repartition(branches, following)]
        if not stateful or (len(branches) == 1 and branches[0].keyed):
            return branches
        keyed = [branch.name for branch in branches if branch.keyed]
        unkeyed = [branch.name for branch in branches if not branch.keyed]
        if keyed and unkeyed:
            raise TopologyError(
                f"{following!r} keeps state, and its input has a key on the branch from {keyed[0]!r} but "
                f"none on the branch from {unkeyed[0]!r}; put .key_by(...) behind the merge or on "
                "both branches"
            )
        implied = _KeyChange(slug(following), key=None if keyed else _COLLECT_KEY)
        return [self._repartition([replace(branch, change=implied) for branch in branches], following)]

    def _repartition(self, branches: list[_Branch], following: str) -> _Branch:
        changes = [branch.change for branch in branches if branch.change]
        wanted = "-".join(dict.fromkeys(slug(change.name) for change in changes))
        name = wanted if self.names.free(wanted) else f"{wanted}-{slug(following)}"
        origins = " and ".join(repr(branch.name) for branch in branches)
        self.names.take(name, f"the key change between {origins} and {following!r}")
        topic = self.names.topic(name, "repartition")
        # A branch without a change reads a source that is partitioned by this key already.
        kept = _KeyChange(changes[0].name)
        for branch in branches:
            change = branch.change or kept
            target = Repartition(
                change.name, topic, change.extract, change.key, takes_context=change.takes_context
            )
            self._finish(branch, (target,))
        return _Branch(name, Input(name, topic), keyed=True)

    def _sinks(self, sinks: Sequence[SinkConfig], branches: list[_Branch]) -> list[_Branch]:
        configs = [
            sink.resolve(self.args) if isinstance(sink, DefaultKafkaSinkCLIParser) else sink for sink in sinks
        ]
        branches = self._apply_key_changes(branches, configs[0].encoder.name(), stateful=False)
        targets = tuple(self._sink(config) for config in configs)
        for branch in branches:
            self._finish(branch, targets)
        return []

    def _sink(self, config: KafkaSinkConfig | TCPSinkConfig) -> Target:
        match config:
            case KafkaSinkConfig():
                brokers, encoder = tuple(config.brokers or ()), config.encoder
                return ToTopic(encoder.name(), config.topic, encoder.encode, brokers, encoder.takes_context)
            case TCPSinkConfig():
                return self._delivery(config)

    def _delivery(self, config: TCPSinkConfig) -> ToOutbox:
        wanted = slug(config.name or config.encoder.name())
        address = f"{config.host}:{config.port}"
        name = wanted if self.names.free(f"{wanted}-outbox") else f"{wanted}-{slug(address)}"
        topic = self.names.claim(name, "outbox", f"the TCP sink {address}")
        group = self.names.group(self.names.take(f"{name}-delivery", f"the delivery to {address}"))
        receiver = TcpReceiver(config.host, int(config.port), config.tls)
        self.deliveries.append(Delivery(name, group, topic, receiver))
        encoder = config.encoder
        return ToOutbox(encoder.name(), topic, encoder.encode, takes_context=encoder.takes_context)

    def _finish(self, branch: _Branch, targets: tuple[Target, ...]) -> None:
        group = self.names.group(branch.name)
        self.finished.append(SubTopology(branch.name, group, (branch.input,), branch.steps, targets))


def _with_positions(subs: Sequence[SubTopology], names: Names) -> tuple[SubTopology, ...]:
    """The same; those without a store that feed others keep their position: what they read is counted there.

    Where nothing is fed, reading records again is an operator's choice.
    """
    return tuple(_with_position(sub, names) if sub.hops and not sub.stores else sub for sub in subs)


def _with_position(sub: SubTopology, names: Names) -> SubTopology:
    name = f"{sub.name}-positions"
    return replace(
        sub, positions=Store(name, names.claim(name, "changelog", f"the positions of {sub.name!r}"), dict)
    )


def _change_key(branch: _Branch, extractor: stages.KeyExtractor) -> _Branch:
    # A source that is partitioned by this extractor's key needs no repartition topic, only a check.
    name = extractor.name()
    if branch.partitioned_by is extractor and not branch.keyed:
        check = CheckKey(name, extractor.func, extractor.takes_context)
        return replace(branch, keyed=True, steps=(*branch.steps, check))
    change = _KeyChange(name, extractor.func, takes_context=extractor.takes_context)
    return replace(branch, change=change)
