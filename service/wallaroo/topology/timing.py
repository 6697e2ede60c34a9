"""Which sub-topologies need event time: those with windows over it, and those that lead to some."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wallaroo.errors import TopologyError
from wallaroo.record import NANOSECONDS_PER_MS, NANOSECONDS_PER_SECOND
from wallaroo.topology.model import Input, Repartition, SubTopology, Target, Timing, Upstream
from wallaroo.topology.names import Names
from wallaroo.topology.steps import Store, Window

# How far behind the wall clock a partition without input follows it, unless an idle timeout is set.
_SLACK = 60 * NANOSECONDS_PER_SECOND


def with_timing(subs: Sequence[SubTopology], names: Names) -> tuple[SubTopology, ...]:
    """Return the sub-topologies with the timing and the routes that watermarks need."""
    routes = _Routes(subs)
    return tuple(_timed(sub, routes, names) for sub in subs)


def with_idle_timeout(sub: SubTopology, milliseconds: int | None) -> SubTopology:
    """Return the sub-topology with this idle timeout; before it is over, the wall clock moves nothing.

    None is the default: the longest duration of a window ahead, and before, a minute behind the wall clock.
    """
    if milliseconds is None or sub.timing is None:
        return sub
    return replace(
        sub, timing=replace(sub.timing, idle_timeout=milliseconds * NANOSECONDS_PER_MS, slack=None)
    )


def with_max_future(sub: SubTopology, milliseconds: int | None) -> SubTopology:
    """Return the sub-topology with this bound, None being none, for sources that have none of their own."""
    if sub.timing is None:
        return sub
    setting = None if milliseconds is None else milliseconds * NANOSECONDS_PER_MS
    bounds = [setting if bound is None else bound for bound in sub.timing.source_bounds]
    max_future = max((bound for bound in bounds if bound is not None), default=None)
    return replace(sub, timing=replace(sub.timing, max_future=None if None in bounds else max_future))


class _Routes:
    """Which windows lie ahead of a sub-topology; several may lead into one, but none splits."""

    def __init__(self, subs: Iterable[SubTopology]) -> None:
        self.subs = tuple(subs)
        self._readers = {read.topic: sub for sub in self.subs for read in sub.inputs if not read.is_source}

    def windows(self, sub: SubTopology) -> list[Window]:
        """Return the event-time windows of a sub-topology and those behind it, in order."""
        own = [step for step in sub.steps if isinstance(step, Window) and step.declared.duration is not None]
        return own + [window for target in sub.targets for window in self.behind(target)]

    def behind(self, target: Target) -> list[Window]:
        if not isinstance(target, Repartition):
            return []
        return self.windows(self._readers[target.topic])

    def upstreams(self, read: Input) -> tuple[Upstream, ...]:
        return tuple(Upstream(sub.name, sub.input.topic) for sub in self._writers(read))

    def sources(self, read: Input) -> tuple[Input, ...]:
        """Return the sources that lead to an input."""
        if read.is_source:
            return (read,)
        return tuple(source for sub in self._writers(read) for source in self.sources(sub.input))

    def _writers(self, read: Input) -> list[SubTopology]:
        if read.is_source:
            return []
        return [sub for sub in self.subs if any(t.topic == read.topic for t in sub.targets)]


def _timed(sub: SubTopology, routes: _Routes, names: Names) -> SubTopology:
    durations = [window.declared.duration or 0 for window in routes.windows(sub)]
    if not durations:
        return sub
    sources = routes.sources(sub.input)
    if all(source.event_time is None for source in sources):
        _check_milliseconds(sub)
    name = f"{sub.name}-watermarks"
    store = Store(name, names.claim(name, "changelog", f"the watermarks of {sub.name!r}"), dict)
    return replace(
        sub,
        inputs=tuple(replace(read, upstreams=routes.upstreams(read)) for read in sub.inputs),
        targets=tuple(_leading_on(target, routes) for target in sub.targets),
        timing=Timing(
            store, max(durations), sum(durations), tuple(each.max_future for each in sources), slack=_SLACK
        ),
    )


def _check_milliseconds(sub: SubTopology) -> None:
    """Refuse spans that can only be a slip of units where times are the timestamps of records."""
    for step in sub.steps:
        if not isinstance(step, Window):
            continue
        for name in ("range", "slide", "delay", "offset", "gap"):
            span = getattr(step.declared, name, 0)
            if 0 < abs(span) < NANOSECONDS_PER_MS:
                raise TopologyError(
                    f"{step.name!r}: a {name} of {span} nanoseconds is shorter than a millisecond, and "
                    "timestamps of records are whole milliseconds; durations are nanoseconds: use "
                    "wallaroo.milliseconds(...), wallaroo.seconds(...), or give the source an event_time"
                )


def _leading_on(target: Target, routes: _Routes) -> Target:
    ahead = routes.behind(target)
    return replace(target, windows=ahead[0]) if ahead and isinstance(target, Repartition) else target
