"""The arithmetic of range windows, against a search through all windows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallaroo.windows.grid import Grid

spans = st.integers(1, 40).flatmap(lambda length: st.tuples(st.just(length), st.integers(1, length)))
shifts = st.just(0) | st.integers(0, 100)
grids = st.builds(lambda span, delay, n: Grid(*span, delay, n % span[1]), spans, st.integers(0, 50), shifts)
moments = st.integers(-200, 200)
SOME = range(-300, 300)


def covering(grid, moment):
    begins = {k: k * grid.slide + grid.offset for k in SOME}
    return [k for k, begin in begins.items() if begin <= moment < begin + grid.range]


@given(grids, moments)
def test_a_moment_lies_in_the_windows_of_its_pane(grid, moment):
    pane = grid.pane_of(moment)
    oldest, newest = grid.oldest_window(pane), grid.newest_window(pane)
    assert list(range(oldest, newest + 1)) == covering(grid, moment)


@given(grids, moments)
def test_a_window_is_a_whole_number_of_panes(grid, window):
    first = grid.first_pane(window)
    assert first * grid.pane + grid.offset == grid.begin(window)
    assert (first + grid.width) * grid.pane + grid.offset == grid.end(window)
    assert grid.end(window) - grid.range == grid.begin(window) == window * grid.slide + grid.offset


@given(grids, moments)
def test_the_newest_window_past_due_is_the_last_that_is_due(grid, watermark):
    newest = grid.newest_past_due(watermark)
    assert grid.due(newest) <= watermark < grid.due(newest + 1)


@given(grids, moments, moments)
def test_late_is_what_lies_in_no_window_that_is_not_past_due(grid, moment, watermark):
    past_due = [grid.end(k) + grid.delay <= watermark for k in covering(grid, moment)]
    assert grid.is_late(moment, watermark) == all(past_due)
    assert grid.has_missed(moment, watermark) == any(past_due)


@pytest.mark.parametrize(
    ("length", "slide", "pane"), [(9, 3, 3), (10, 10, 10), (10, 4, 2), (7, 3, 1), (3_600, 900, 900)]
)
def test_a_pane_is_as_long_as_it_can_be(length, slide, pane):
    assert Grid(length, slide, 0).pane == pane


def test_windows_are_counted_from_the_epoch_and_before_it():
    grid = Grid(9, 3, 0)
    assert [grid.end(k) for k in covering(grid, 0)] == [3, 6, 9]
    assert [grid.end(k) for k in covering(grid, -1)] == [0, 3, 6]
