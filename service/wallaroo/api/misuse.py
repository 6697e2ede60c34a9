"""Checks of the steps of a pipeline; each raises WallarooParameterError with what, where and what to do."""

from types import UnionType
from typing import Any, NoReturn

from wallaroo.api.aggregation import Aggregation, is_aggregation_class
from wallaroo.api.checks import describe
from wallaroo.api.sinks import SinkConfig
from wallaroo.api.sources import SourceConfig
from wallaroo.api.stages import Computation, Decoder, Encoder, KeyExtractor
from wallaroo.api.steps import PipelineLike, Stage, To, ends_in_key_change, is_closed, source_names, stages
from wallaroo.api.window_builders import WindowsBuilder
from wallaroo.errors import WallarooParameterError

# What is no stage, and where it belongs.
_STAGE_ADVICE: tuple[tuple[type | UnionType, str], ...] = (
    (WindowsBuilder, "these windows miss their aggregation; add .over(YourAggregation)"),
    (KeyExtractor, "a key extractor belongs in .key_by(...)"),
    (Encoder, "an encoder belongs in the configuration of a sink"),
    (Decoder, "a decoder belongs in the configuration of a source"),
    (SinkConfig, "a sink belongs in .to_sink(...)"),
)


def check_source_config(name: str, config: object) -> None:
    """Check that this is the configuration of a source."""
    if not isinstance(config, SourceConfig):
        raise WallarooParameterError(
            f"source {name!r} cannot read from {describe(config)}; "
            "give it a TCPSourceConfig, GenSourceConfig, KafkaSourceConfig or a Kafka source's CLI parser"
        )


def check_open(pipeline: PipelineLike, action: str) -> None:
    """Check that the pipeline has no sinks yet."""
    if is_closed(pipeline):
        _refuse(pipeline, action, "You can't add stages after to_sink/s; make the sink the last call")


def check_stage(pipeline: PipelineLike, stage: Any) -> None:
    """Check that this is a stage, with a name that no other stage has."""
    if not isinstance(stage, Stage):
        _refuse(pipeline, f".to({describe(stage)})", _stage_advice(stage))
    if any(stage.name() == other.name() for other in stages(pipeline)):
        advice = (
            f"a stage named {stage.name()!r} is there already; names must be unique, since topics, stores "
            "and metrics are named after them"
        )
        _refuse(pipeline, f".to({stage!r})", advice)


def check_extractor(pipeline: PipelineLike, extractor: object) -> None:
    """Check that this is a key extractor and the key was not changed just before."""
    if not isinstance(extractor, KeyExtractor):
        advice = "decorate a function with @wallaroo.key_extractor and give it that"
        _refuse(pipeline, f".key_by({describe(extractor)})", advice)
    check_key_change(pipeline, f".key_by({extractor.name()})")


def check_key_change(pipeline: PipelineLike, action: str) -> None:
    """Check that the last step was not a key change."""
    if ends_in_key_change(pipeline):
        _refuse(pipeline, action, "the key was changed just before, for nothing; leave one of the two out")


def check_merge(left: PipelineLike, right: PipelineLike) -> None:
    """Check that two open pipelines share no source or stateful stage, and both or neither change the key."""
    check_open(left, ".merge(...)")
    problem = _merge_problem(left, right) or _shared_stage_problem(left, right)
    if problem:
        _refuse(left, ".merge(...)", problem)


def check_sinks(pipeline: PipelineLike, sinks: object) -> tuple[SinkConfig, ...]:
    """Return one or more configurations of sinks."""
    if not isinstance(sinks, list | tuple):
        _refuse(pipeline, f".to_sinks({describe(sinks)})", "give it a list of sinks, or use .to_sink for one")
    if not sinks:
        _refuse(pipeline, ".to_sinks([])", "you must specify at least one sink")
    for sink in sinks:
        if not isinstance(sink, SinkConfig):
            advice = "a sink is a TCPSinkConfig, KafkaSinkConfig or a Kafka sink's CLI parser"
            _refuse(pipeline, f".to_sink({describe(sink)})", advice)
    return tuple(sinks)


def location(pipeline: PipelineLike) -> str:
    """Return where a pipeline ends for an error message: its sources and its last stage."""
    names = ", ".join(repr(name) for name in source_names(pipeline))
    passed = [step.stage.name() for step in pipeline.steps if isinstance(step, To)]
    last = f" after stage {passed[-1]!r}" if passed else ""
    return f"the pipeline of {names}{last}"


def _merge_problem(left: PipelineLike, right: PipelineLike) -> str | None:
    if is_closed(right):
        return f"You can't merge with a terminated pipeline: {location(right)} has its sinks"
    if shared := sorted(set(source_names(left)) & set(source_names(right))):
        return (
            f"source {shared[0]!r} is on both sides; a pipeline cannot be merged with itself or a part of "
            "itself, so declare another source with a name of its own"
        )
    if ends_in_key_change(left) != ends_in_key_change(right):
        return (
            "A pipeline ending with key_by can only be merged with another; end both sides with key_by or "
            "collect, or call it once after the merge"
        )
    return None


def _shared_stage_problem(left: PipelineLike, right: PipelineLike) -> str | None:
    known = {stage.name(): stage for stage in stages(left)}
    for stage in stages(right):
        name = stage.name()
        if name not in known:
            continue
        if known[name] is not stage:
            return f"two different stages are named {name!r}; rename one"
        if not isinstance(stage, Computation) or stage.is_stateful:
            return (
                f"stage {name!r} keeps state and is on both sides; move it behind the merge, "
                "or declare a second one with a name of its own"
            )
    return None


def _stage_advice(stage: Any) -> str:
    if isinstance(stage, Aggregation) or is_aggregation_class(stage):
        return "an aggregation needs windows: .to(wallaroo.range_windows(...).over(YourAggregation))"
    for kind, advice in _STAGE_ADVICE:
        if isinstance(stage, kind):
            return advice
    if callable(stage):
        return 'decorate it first, for example with @wallaroo.computation(name="...")'
    return "a stage is a decorated computation, or windows finished with .over(...)"


def _refuse(pipeline: PipelineLike, action: str, advice: str) -> NoReturn:
    raise WallarooParameterError(f"{location(pipeline)}: {action} is refused: {advice}")
