"""What a pipeline consists of: its origin, the steps behind it, and a walk over all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wallaroo.api.sinks import SinkConfig
from wallaroo.api.sources import SourceConfig
from wallaroo.api.stages import Computation, KeyExtractor
from wallaroo.api.windows import CountWindows, RangeWindows

if TYPE_CHECKING:
    from wallaroo.api.pipeline import Pipeline

Stage = Computation | RangeWindows | CountWindows


@dataclass(frozen=True, slots=True)
class Source:
    """Where a pipeline begins; the name here counts, whatever the configuration says."""

    name: str
    config: SourceConfig


@dataclass(frozen=True, slots=True)
class Merge:
    """Where two pipelines become one."""

    left: Pipeline
    right: Pipeline


@dataclass(frozen=True, slots=True)
class To:
    """A computation or windows."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class KeyBy:
    """From here on messages are partitioned by this key."""

    extractor: KeyExtractor


@dataclass(frozen=True, slots=True)
class Collect:
    """From here on all messages have one key."""


@dataclass(frozen=True, slots=True)
class ToSinks:
    """The end: every message goes to each of these sinks."""

    sinks: tuple[SinkConfig, ...]


Step = To | KeyBy | Collect | ToSinks


def segments(pipeline: Pipeline) -> Iterator[Pipeline]:
    """The pipeline, then the branches merged into it, left before right."""
    waiting = [pipeline]
    while waiting:
        segment = waiting.pop()
        yield segment
        if isinstance(segment.origin, Merge):
            waiting += [segment.origin.right, segment.origin.left]


def source_names(pipeline: Pipeline) -> list[str]:
    """The names of all sources that run into the pipeline, from left to right."""
    return [each.origin.name for each in segments(pipeline) if isinstance(each.origin, Source)]


def stages(pipeline: Pipeline) -> list[Stage]:
    """All stages of the pipeline and of the branches merged into it."""
    return [step.stage for each in segments(pipeline) for step in each.steps if isinstance(step, To)]


def ends_in_key_change(pipeline: Pipeline) -> bool:
    """Whether the last thing that happened is `key_by` or `collect`, on both sides of a merge."""
    while not pipeline.steps and isinstance(pipeline.origin, Merge):
        # a merge has a key change at the end of both sides or of neither
        pipeline = pipeline.origin.left
    return bool(pipeline.steps) and isinstance(pipeline.steps[-1], KeyBy | Collect)
