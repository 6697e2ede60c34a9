"""The kinds of windows: every declaration has one, which is found by itself."""

import pytest

from wallaroo.api import windows
from wallaroo.api.windows import CountWindows, Windows
from wallaroo.topology.steps import Store, Window
from wallaroo.windows.kinds import due_times_of, kind_of, kinds


def test_every_class_of_windows_has_a_kind():
    declared = {value for value in vars(windows).values() if isinstance(value, type)}
    assert {*kinds()} == {value for value in declared if issubclass(value, Windows)} - {Windows}


def test_exactly_the_windows_over_event_time_say_when_they_are_due():
    timed = {declared for declared in kinds() if "duration" in vars(declared)}
    assert {declared for declared, kind in kinds().items() if kind.due_times is not None} == timed


def test_a_window_is_of_the_kind_of_its_declaration():
    count = Window("count", CountWindows(2, None), Store("count", "app-count-changelog", list))
    assert kind_of(count).declared is CountWindows
    with pytest.raises(TypeError, match="no event time makes CountWindows due"):
        due_times_of(count)
