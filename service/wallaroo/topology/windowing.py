"""Compile declared windows into steps."""

from wallaroo.api.windows import CountWindows, RangeWindows
from wallaroo.errors import TopologyError
from wallaroo.topology.model import CountWindow, RangeWindow, Store

# What is left of the nanoseconds that a signed 64-bit number holds.
_LONGEST = 2**62


def compile_windows(stage: RangeWindows | CountWindows, store: Store) -> RangeWindow | CountWindow:
    """The step for windows; TopologyError for spans that no clock of ours can hold."""
    name = stage.name()
    if isinstance(stage, CountWindows):
        return CountWindow(name, stage.aggregation, stage.count, store)
    if stage.range + stage.delay >= _LONGEST:
        raise TopologyError(
            f"{name!r}: range and delay add up to {stage.range + stage.delay} nanoseconds, more than 146 "
            "years; nanoseconds are the unit: see wallaroo.seconds(...) and its like"
        )
    return RangeWindow(
        name, stage.aggregation, stage.range, stage.slide, stage.delay, stage.late_data_policy, store
    )
