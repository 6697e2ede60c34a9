"""Which headers cross a hop, and which ones outputs have: only what a later stage or sink asks for."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wallaroo.topology.model import (
    Carried,
    HeadersOfSources,
    Input,
    Repartition,
    SubTopology,
    Target,
    ToOutbox,
    ToTopic,
)
from wallaroo.topology.steps import Window


def with_headers(subs: Sequence[SubTopology]) -> list[SubTopology]:
    """Return the sub-topologies with the headers that their targets carry on.

    Where a later stage takes a context, that is all of them: nobody knows which one it will ask for.
    """
    routes = _Routes(subs)
    return [
        replace(sub, targets=tuple(routes.with_headers(sub, each) for each in sub.targets)) for sub in subs
    ]


class _Routes:
    """What leads where; hops are no loops."""

    def __init__(self, subs: Iterable[SubTopology]) -> None:
        self._subs = tuple(subs)
        self._readers = {read.topic: sub for sub in self._subs for read in sub.inputs if not read.is_source}

    def with_headers(self, sub: SubTopology, target: Target) -> Target:
        sources = self._sources(sub.input)
        if isinstance(target, Repartition):
            return replace(target, carries=self._carried(target, sources))
        if not _has_headers(target) or not any(source.carry_headers for source in sources):
            return target
        return replace(target, headers=_by_topic(sources))

    def _carried(self, target: Repartition, sources: Iterable[Input]) -> Carried:
        ahead = list(self._ahead(self._readers[target.topic]))
        if any(_takes_context(sub) for sub in ahead):
            return "all"
        if not any(_has_headers(end) for sub in ahead for end in sub.targets):
            return ()
        return tuple(dict.fromkeys(name for source in sources for name in source.carry_headers))

    def _ahead(self, sub: SubTopology) -> Iterable[SubTopology]:
        yield sub
        for target in sub.targets:
            if isinstance(target, Repartition):
                yield from self._ahead(self._readers[target.topic])

    def _sources(self, read: Input) -> tuple[Input, ...]:
        if read.is_source:
            return (read,)
        writers = [sub for sub in self._subs if any(each.topic == read.topic for each in sub.targets)]
        return tuple(source for sub in writers for source in self._sources(sub.input))


def _has_headers(target: Target) -> bool:
    """Whether what it writes can have headers: a TCP receiver gets bytes alone."""
    return isinstance(target, ToTopic) or (isinstance(target, ToOutbox) and target.remote is not None)


def _takes_context(sub: SubTopology) -> bool:
    steps = (step for step in sub.steps if not isinstance(step, Window))
    return any(each.takes_context for each in (*steps, *sub.targets))


def _by_topic(sources: Iterable[Input]) -> HeadersOfSources:
    found: dict[str, dict[str, None]] = {}
    for source in sources:
        found.setdefault(source.topic, {}).update(dict.fromkeys(source.carry_headers))
    return tuple((topic, tuple(names)) for topic, names in found.items())
