"""Which sub-topologies need event time: those whose stages wait for it, and those that lead to such.

Windows over event time do, and stages with a ttl.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from wallaroo.errors import TopologyError
from wallaroo.record import NANOSECONDS_PER_MS, NANOSECONDS_PER_SECOND
from wallaroo.topology.model import Input, Repartition, SubTopology, Target, Timing, Upstream
from wallaroo.topology.names import Names
from wallaroo.topology.steps import Stateful, Store, Window, duration_of

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
    """Which stages over event time lie ahead of a sub-topology; several lead into one, but none splits."""

    def __init__(self, subs: Iterable[SubTopology]) -> None:
        self.subs = tuple(subs)
        self._readers = {read.topic: sub for sub in self.subs for read in sub.inputs if not read.is_source}

    def timed(self, sub: SubTopology) -> list[Stateful]:
        """Return the stages over event time of a sub-topology and those behind it, in order."""
        stateful = [step for step in sub.steps if isinstance(step, Stateful)]
        own = [step for step in stateful if duration_of(step) is not None]
        return own + [step for target in sub.targets for step in self.behind(target)]

    def behind(self, target: Target) -> list[Stateful]:
        if not isinstance(target, Repartition):
            return []
        return self.timed(self._readers[target.topic])

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
    timed = routes.timed(sub)
    if not timed:
        return sub
    durations = [duration_of(step) or 0 for step in timed]
    # A ttl makes no windows wait: it lets nobody wait for a result.
    of_windows = [duration_of(step) or 0 for step in timed if isinstance(step, Window)]
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
            store,
            max(of_windows or durations),
            sum(durations),
            tuple(each.max_future for each in sources),
            slack=_SLACK,
        ),
    )


def _check_milliseconds(sub: SubTopology) -> None:
    """Refuse spans that can only be a slip of units where times are the timestamps of records."""
    for step in sub.steps:
        if not isinstance(step, Stateful):
            continue
        declared = step.declared if isinstance(step, Window) else step
        for name in ("range", "slide", "delay", "offset", "gap", "ttl"):
            span = getattr(declared, name, None) or 0
            if 0 < abs(span) < NANOSECONDS_PER_MS:
                raise TopologyError(
                    f"{step.name!r}: a {name} of {span} nanoseconds is shorter than a millisecond, and "
                    "timestamps of records are whole milliseconds; durations are nanoseconds: use "
                    "wallaroo.milliseconds(...), wallaroo.seconds(...), or give the source an event_time"
                )


def _leading_on(target: Target, routes: _Routes) -> Target:
    ahead = routes.behind(target)
    if not ahead or not isinstance(target, Repartition):
        return target
    windows = next((step for step in ahead if isinstance(step, Window)), None)
    # What windows emit as they become due is never late for what comes behind them.
    before = takewhile(lambda step: step is not windows, ahead)
    ttls = [step.ttl for step in before if not isinstance(step, Window) and step.ttl is not None]
    return replace(target, windows=windows, ttl=min(ttls, default=None))
