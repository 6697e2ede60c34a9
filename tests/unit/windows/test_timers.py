"""Timers: made of stored bytes, and never wrong for being out of date."""

import pytest

from wallaroo.api.windows import RangeWindows
from wallaroo.errors import StoredValueError
from wallaroo.state.memory import MemoryStore
from wallaroo.topology.steps import Store, Window
from wallaroo.windows.grid import Contents, Grid, is_empty
from wallaroo.windows.range import due_times
from wallaroo.windows.stored_ranges import ContentsCodec
from wallaroo.windows.timers import Timers

GRID = Grid(10, 5, 2)


def refuse(_data):
    raise AssertionError("this was decoded")


def store(decode=refuse, **panes):
    """Each key holds one message in a pane."""
    codec = ContentsCodec(GRID, repr(0).encode().__add__, decode)
    made = MemoryStore("windows", Contents, codec, is_empty)
    for key, pane in panes.items():
        contents = Contents()
        contents.panes[pane], contents.window = b"", GRID.oldest_window(pane)
        made.restore(key.encode(), codec.encode(contents))
    return made


def timers_of(made, preceding_delay=0, delay=GRID.delay):
    declared = RangeWindows(GRID.range, GRID.slide, delay, None)
    step = Window("windows", declared, Store("windows", "app-windows-changelog", list))
    return Timers(made, due_times(step), preceding_delay)


def test_they_are_rebuilt_without_decoding_anything():
    timers = timers_of(store(a=7, b=3, c=5))
    timers.rebuild(0)
    assert sorted(timers.heap) == [(22, b"b"), (32, b"c"), (42, b"a")]
    assert timers.heap[0] == (22, b"b")


def test_the_watermark_of_a_stage_is_the_tasks_less_the_delays_before_it():
    timers = timers_of(store(), preceding_delay=30)
    timers.rebuild(100)
    assert timers.watermark == 70


def test_a_value_that_is_none_of_ours_stops_the_restore():
    made = store()
    made.restore(b"a", b'1J{"total":1}')
    with pytest.raises(StoredValueError, match="does not hold range windows"):
        timers_of(made).rebuild(0)


def test_what_a_key_holds_now_says_when_it_is_due():
    made = store(a=7)
    timers = timers_of(made)
    assert timers.due(b"a") == 42
    assert timers.due(b"nobody") is None
    live = Contents()
    made.put(b"a", live)
    assert timers.due(b"a") is None
    live.window = 0
    assert timers.due(b"a") == 12


def test_another_delay_counts_from_the_restart_on():
    timers = timers_of(store(a=7), delay=500)
    timers.rebuild(0)
    assert timers.heap == [(540, b"a")]
