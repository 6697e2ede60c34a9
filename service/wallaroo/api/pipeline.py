"""Pipelines as values: every method returns a new one and leaves its own as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wallaroo.api.checks import check_instance, check_name
from wallaroo.api.misuse import (
    check_extractor,
    check_key_change,
    check_merge,
    check_open,
    check_sinks,
    check_source_config,
    check_stage,
    place,
)
from wallaroo.api.sinks import SinkConfig
from wallaroo.api.sources import SourceConfig
from wallaroo.api.stages import KeyExtractor
from wallaroo.api.steps import Collect, KeyBy, Merge, Source, Stage, Step, To, ToSinks
from wallaroo.errors import WallarooParameterError

__all__ = [
    "Application",
    "Collect",
    "KeyBy",
    "Merge",
    "Pipeline",
    "Source",
    "Stage",
    "Step",
    "To",
    "ToSinks",
    "build_application",
    "source",
]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Messages on their way from a source, or from two merged pipelines, through steps in order.

    Every method raises WallarooParameterError at once for a step that cannot run.
    """

    origin: Source | Merge
    steps: tuple[Step, ...] = ()

    @classmethod
    def from_source(cls, name: str, source_config: SourceConfig) -> "Pipeline":
        """A pipeline that begins at a source; the name is the source's, and unique in an application."""
        check_name("a source", name)
        check_source_config(name, source_config)
        return cls(Source(name, source_config))

    @property
    def closed(self) -> bool:
        """Whether the pipeline ends in sinks, so that nothing can be added."""
        return bool(self.steps) and isinstance(self.steps[-1], ToSinks)

    def to(self, computation: Stage) -> "Pipeline":
        """Send messages through a computation, or through windows finished with `.over(...)`."""
        check_open(self, ".to(...)")
        check_stage(self, computation)
        return self._then(To(computation))

    def key_by(self, key_extractor: KeyExtractor) -> "Pipeline":
        """Partition messages by a key, which they keep until the next `key_by` or `collect`."""
        check_open(self, ".key_by(...)")
        check_extractor(self, key_extractor)
        return self._then(KeyBy(key_extractor))

    def collect(self) -> "Pipeline":
        """Bring all messages together under one key."""
        check_open(self, ".collect()")
        check_key_change(self, ".collect()")
        return self._then(Collect())

    def merge(self, pipeline: "Pipeline") -> "Pipeline":
        """One pipeline of the messages of both, interleaved in any order."""
        advice = "give it another pipeline, begun with wallaroo.source(...)"
        check_instance(f"{place(self)}: the argument of .merge", pipeline, Pipeline, advice)
        check_merge(self, pipeline)
        return Pipeline(Merge(self, pipeline))

    def to_sink(self, sink_config: SinkConfig) -> "Pipeline":
        """End the pipeline in one sink."""
        check_open(self, ".to_sink(...)")
        return self._then(ToSinks(check_sinks(self, [sink_config])))

    def to_sinks(self, sink_configs: Sequence[SinkConfig]) -> "Pipeline":
        """End the pipeline in several sinks; every message goes to each of them."""
        check_open(self, ".to_sinks(...)")
        return self._then(ToSinks(check_sinks(self, sink_configs)))

    def clone(self) -> "Pipeline":
        """An equal pipeline."""
        return replace(self)

    def _then(self, step: Step) -> "Pipeline":
        return replace(self, steps=(*self.steps, step))


@dataclass(frozen=True, slots=True)
class Application:
    """A named pipeline, ready to be compiled: what `application_setup` returns."""

    name: str
    pipeline: Pipeline


def source(name: str, source_config: SourceConfig) -> Pipeline:
    """A pipeline that begins at a source; the name is the source's, and unique in an application."""
    return Pipeline.from_source(name, source_config)


def build_application(app_name: str, pipeline: Pipeline) -> Application:
    """The application that `application_setup(args)` must return.

    Raises WallarooParameterError unless the pipeline ends in sinks.
    """
    check_name("an application", app_name)
    advice = "give build_application the pipeline that ends in .to_sink(...)"
    check_instance(f"application {app_name!r}: the pipeline", pipeline, Pipeline, advice)
    if not pipeline.closed:
        raise WallarooParameterError(
            f"application {app_name!r}: An application must end with to_sink/s; "
            f"add .to_sink(...) to {place(pipeline)}"
        )
    return Application(app_name, pipeline)
