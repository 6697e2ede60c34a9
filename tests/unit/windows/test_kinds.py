"""The registry of window kinds knows every window that can be compiled."""

from typing import get_args

import pytest

from wallaroo.topology.steps import CountWindow, Store, TimedWindow, Window
from wallaroo.windows.kinds import KINDS, due_times_of, kind_of


def test_every_window_has_a_kind():
    assert {kind.step for kind in KINDS} == set(get_args(Window))


def test_exactly_the_windows_over_event_time_say_when_they_are_due():
    timed = get_args(TimedWindow) or (TimedWindow,)
    assert {kind.step for kind in KINDS if kind.due_times is not None} == set(timed)


def test_a_window_is_of_the_kind_of_its_step():
    count = CountWindow("count", None, 2, Store("count", "app-count-changelog", list))
    assert kind_of(count).step is CountWindow
    with pytest.raises(TypeError, match="no event time makes a CountWindow due"):
        due_times_of(count)
