"""Pipelines as values: every method returns a new pipeline and changes none."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from wallaroo.api import misuse
from wallaroo.api.checks import check_instance, check_name
from wallaroo.api.sinks import DefaultKafkaSinkCLIParser, KafkaSinkConfig, TCPSinkConfig
from wallaroo.api.sources import (
    DefaultKafkaSourceCLIParser,
    GenSourceConfig,
    KafkaSourceConfig,
    TCPSourceConfig,
)
from wallaroo.api.stages import Computation, KeyExtractor, Out
from wallaroo.api.steps import Collect, KeyBy, Merge, Source, Step, To, ToSinks, is_closed
from wallaroo.api.windows import Windows
from wallaroo.errors import WallarooParameterError

Before = TypeVar("Before")
Next = TypeVar("Next")
AnySource = (
    TCPSourceConfig[Next]
    | GenSourceConfig[Next]
    | KafkaSourceConfig[Next]
    | DefaultKafkaSourceCLIParser[Next]
)
AnySink = TCPSinkConfig[Next] | KafkaSinkConfig[Next] | DefaultKafkaSinkCLIParser[Next]
AnyStage = Computation[Before, Next] | Windows[Before, Next]


@dataclass(frozen=True, slots=True)
class Pipeline(Generic[Out]):
    """A source, or two merged pipelines, and the steps behind it; begun with `wallaroo.source`.

    As in Wallaroo, every method returns a new pipeline. A step that cannot run raises WallarooParameterError
    at once, where Wallaroo's engine found it at run time.

    Example:

    >>> @wallaroo.decoder()
    ... def decode(bs):
    ...     return bs.decode()
    >>> @wallaroo.computation(name="reverse")
    ... def reverse(word):
    ...     return word[::-1]
    >>> words = wallaroo.source("words", wallaroo.KafkaSourceConfig("words", decoder=decode))
    >>> sink = wallaroo.KafkaSinkConfig("reversed", encoder=wallaroo.json_encoder)
    >>> words.to(reverse).to_sink(sink).closed
    True
    """

    origin: Source | Merge
    steps: tuple[Step, ...] = ()

    @classmethod
    def from_source(cls, name: str, source_config: AnySource[Next]) -> "Pipeline[Next]":
        """Return a pipeline that begins at a source, as `wallaroo.source` does.

        Raises WallarooParameterError if the name is missing or `source_config` is no source.
        """
        check_name("a source", name)
        misuse.check_source_config(name, source_config)
        made: Pipeline[Any] = cls(Source(name, source_config))
        return made

    @property
    def closed(self) -> bool:
        """Whether the pipeline ends in sinks, so that nothing can be added to it."""
        return is_closed(self)

    def to(self, computation: AnyStage[Out, Next]) -> "Pipeline[Next]":
        """Send messages through a computation, or through windows finished with `.over(...)`.

        Without a key, a stage that keeps state has one for the whole stream.

        Raises WallarooParameterError if it is no stage, or its name is taken.
        """
        misuse.check_open(self, ".to(...)")
        misuse.check_stage(self, computation)
        return self._then(To(computation))

    def key_by(self, key_extractor: KeyExtractor[Out]) -> "Pipeline[Out]":
        """Partition messages by a key, which they keep until the next `key_by` or `collect`.

        Raises WallarooParameterError if it is no key extractor, or the key was changed just before.
        """
        misuse.check_open(self, ".key_by(...)")
        misuse.check_extractor(self, key_extractor)
        return self._then(KeyBy(key_extractor))

    def collect(self) -> "Pipeline[Out]":
        """Give all messages one key, and so one partition.

        Raises WallarooParameterError if the key was changed just before.
        """
        misuse.check_open(self, ".collect()")
        misuse.check_key_change(self, ".collect()")
        return self._then(Collect())

    def merge(self, pipeline: "Pipeline[Next]") -> "Pipeline[Out | Next]":
        """Return a pipeline of the messages of both, interleaved in any order.

        Raises WallarooParameterError if one has sinks, they share a source or a stage with state, or only
        one ends in a key change.
        """
        advice = "give it another pipeline, begun with wallaroo.source(...)"
        check_instance(f"{misuse.location(self)}: the argument of .merge", pipeline, Pipeline, advice)
        misuse.check_merge(self, pipeline)
        return Pipeline(Merge(self, pipeline))

    def to_sink(self, sink_config: AnySink[Out]) -> "Pipeline[Out]":
        """End the pipeline in one sink.

        Raises WallarooParameterError if it is no sink, or the pipeline has ended.
        """
        misuse.check_open(self, ".to_sink(...)")
        return self._then(ToSinks(misuse.check_sinks(self, [sink_config])))

    def to_sinks(self, sink_configs: Sequence[AnySink[Out]]) -> "Pipeline[Out]":
        """End the pipeline in several sinks; every message goes to each of them, in one transaction.

        Raises WallarooParameterError if there is none, one is no sink, or the pipeline has ended.
        """
        misuse.check_open(self, ".to_sinks(...)")
        return self._then(ToSinks(misuse.check_sinks(self, sink_configs)))

    def clone(self) -> "Pipeline[Out]":
        """Return an equal pipeline."""
        return replace(self)

    def _then(self, step: Step) -> "Pipeline[Any]":
        return replace(self, steps=(*self.steps, step))


@dataclass(frozen=True, slots=True)
class Application:
    """A pipeline with a name: what `build_application` makes and `application_setup` returns."""

    name: str
    pipeline: Pipeline
    # The module whose application_setup has made it: a service is given its name, a driver is not.
    module: str | None = field(default=None, compare=False, repr=False)
    # What that one was given; None if it was no list of texts.
    args: list[str] | None = field(default=None, compare=False, repr=False)


def source(name: str, source_config: AnySource[Next]) -> Pipeline[Next]:
    """Begin a pipeline at a source; `name` is unique in the application, and part of topic names.

    Raises WallarooParameterError if the name is missing or `source_config` is no source.

    Example:

    >>> @wallaroo.decoder()
    ... def decode(bs):
    ...     return bs.decode()
    >>> words = wallaroo.source("words", wallaroo.KafkaSourceConfig("words", decoder=decode))
    """
    return Pipeline.from_source(name, source_config)


def build_application(app_name: str, pipeline: Pipeline) -> Application:
    """Return the application, which the module's `application_setup(args)` must return.

    `app_name` is the default of the setting `application_id`, the prefix of all names on the cluster.

    Raises WallarooParameterError if the name is missing or the pipeline does not end in sinks.

    Example:

    >>> @wallaroo.decoder()
    ... def decode(bs):
    ...     return bs.decode()
    >>> def application_setup(args):
    ...     source = wallaroo.source("words", wallaroo.KafkaSourceConfig("words", decoder=decode))
    ...     sink = wallaroo.KafkaSinkConfig("copies", encoder=wallaroo.json_encoder)
    ...     return wallaroo.build_application("copy", source.to_sink(sink))
    >>> application_setup(["app"]).name
    'copy'
    """
    check_name("an application", app_name)
    advice = "give build_application the pipeline that ends in .to_sink(...)"
    check_instance(f"application {app_name!r}: the pipeline", pipeline, Pipeline, advice)
    if not pipeline.closed:
        raise WallarooParameterError(
            f"application {app_name!r}: An application must end with to_sink/s; "
            f"add .to_sink(...) to {misuse.location(pipeline)}"
        )
    return Application(app_name, pipeline, *_setup())


def _setup() -> tuple[str | None, list[str] | None]:
    """The module whose `application_setup` calls, and what that was given."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "application_setup":
        frame = frame.f_back
    if frame is None:
        return None, None
    module, given = (
        frame.f_globals.get("__name__"),
        frame.f_locals.get(next(iter(frame.f_code.co_varnames), "")),
    )
    if isinstance(given, list | tuple) and all(isinstance(each, str) for each in given):
        return module, list(given)
    return module, None
