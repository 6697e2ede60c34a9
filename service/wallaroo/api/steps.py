"""The parts of a pipeline: its origin, its steps, and functions that walk over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from wallaroo.api.sinks import SinkConfig
from wallaroo.api.sources import SourceConfig
from wallaroo.api.stages import Computation, KeyExtractor
from wallaroo.api.windows import Windows

Stage = Computation | Windows


class PipelineLike(Protocol):
    """What the functions here read of a pipeline."""

    @property
    def origin(self) -> Source | Merge: ...
    @property
    def steps(self) -> tuple[Step, ...]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """The source at which a pipeline begins; this name counts, not that of the configuration."""

    name: str
    config: SourceConfig


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge of two pipelines."""

    left: PipelineLike
    right: PipelineLike


@dataclass(frozen=True, slots=True)
class To:
    """A stage: a computation or windows."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class KeyBy:
    """A key change: messages behind it are partitioned by this key."""

    extractor: KeyExtractor


@dataclass(frozen=True, slots=True)
class Collect:
    """A key change: messages behind it all have the same key."""


@dataclass(frozen=True, slots=True)
class ToSinks:
    """The end of a pipeline: every message goes to each of these sinks."""

    sinks: tuple[SinkConfig, ...]


Step = To | KeyBy | Collect | ToSinks


def segments(pipeline: PipelineLike) -> Iterator[PipelineLike]:
    """Yield the pipeline, then the branches merged into it, left before right."""
    waiting = [pipeline]
    while waiting:
        segment = waiting.pop()
        yield segment
        if isinstance(segment.origin, Merge):
            waiting += [segment.origin.right, segment.origin.left]


def source_names(pipeline: PipelineLike) -> list[str]:
    """Return the names of all sources that lead into the pipeline, from left to right."""
    return [each.origin.name for each in segments(pipeline) if isinstance(each.origin, Source)]


def stages(pipeline: PipelineLike) -> list[Stage]:
    """Return all stages of the pipeline and of the branches merged into it."""
    return [step.stage for each in segments(pipeline) for step in each.steps if isinstance(step, To)]


def is_closed(pipeline: PipelineLike) -> bool:
    """Return whether the last step is sinks."""
    return bool(pipeline.steps) and isinstance(pipeline.steps[-1], ToSinks)


def ends_in_key_change(pipeline: PipelineLike) -> bool:
    """Return whether the last step is a key change, on both sides if it is a merge."""
    while not pipeline.steps and isinstance(pipeline.origin, Merge):
        # Either both sides of a merge end in a key change or neither does.
        pipeline = pipeline.origin.left
    return bool(pipeline.steps) and isinstance(pipeline.steps[-1], KeyBy | Collect)
