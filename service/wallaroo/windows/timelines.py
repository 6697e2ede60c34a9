"""Put the timeline of a task together, if its sub-topology keeps time."""

from collections.abc import Iterator, Mapping

from wallaroo.record import Partition
from wallaroo.state.factory import grid_of
from wallaroo.state.store import KeyedStore
from wallaroo.topology.model import Input, RangeWindow, Repartition, SubTopology
from wallaroo.windows.control import upstream_id
from wallaroo.windows.reports import Level, Reports
from wallaroo.windows.timeline import Timeline
from wallaroo.windows.timers import Timers
from wallaroo.windows.untimed import Untimed
from wallaroo.windows.watermark import NEVER, SourceClock, UpstreamClock
from wallaroo.windows.watermark_store import WatermarkStore


class Results:
    """How far the results of a task have come that holds some of them back."""

    def __init__(self) -> None:
        self.watermark = NEVER


def timeline_of(
    sub: SubTopology, partition: Partition, stores: Mapping[str, KeyedStore], partitions: Mapping[str, int]
) -> Timeline | Untimed:
    """The timeline of one task over its stores; `partitions` are those of every topic."""
    timing = sub.timing
    if timing is None:
        return Untimed()
    clock: SourceClock | UpstreamClock = (
        SourceClock(timing.idle_timeout, timing.horizon)
        if sub.input.is_source
        else UpstreamClock(_expected(sub.input, partitions))
    )
    own = upstream_id(sub.name, partition.number)
    timers = _timers(sub, stores)
    results: Level = Results() if timers else clock
    reports = _reports(own, sub, partitions, results)
    return Timeline(clock, WatermarkStore(stores[timing.store.name], own), timers, results, reports)


def _expected(read: Input, partitions: Mapping[str, int]) -> Iterator[str]:
    """All tasks that write into an input."""
    for upstream in read.upstreams:
        for number in range(partitions[upstream.topic]):
            yield upstream_id(upstream.name, number)


def _timers(sub: SubTopology, stores: Mapping[str, KeyedStore]) -> dict[str, Timers]:
    timers: dict[str, Timers] = {}
    lag = 0
    for step in sub.steps:
        if isinstance(step, RangeWindow):
            timers[step.store.name] = Timers(stores[step.store.name], grid_of(step), lag)
            lag += step.delay
    return timers


def _reports(own: str, sub: SubTopology, partitions: Mapping[str, int], results: Level) -> Reports | None:
    for target in sub.targets:
        if isinstance(target, Repartition) and target.windows is not None:
            return Reports(own, target.topic, grid_of(target.windows), partitions[target.topic], results)
    return None
