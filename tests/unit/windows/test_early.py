"""Early results in their stage: which messages give one, what they say, and what carries them on."""

import pytest

import wallaroo
from tests.unit.windows.stage import KEY, Lists, S, Stage
from wallaroo.record import EarlyMoment, Moment
from wallaroo.serde.codecs import codecs_of
from wallaroo.state.memory import MemoryStore
from wallaroo.state.store import Access
from wallaroo.task.origin import source_of
from wallaroo.topology.steps import Store, Window
from wallaroo.windows.event_time import event_time_of
from wallaroo.windows.kinds import due_times_of, kind_of
from wallaroo.windows.stage import TimeContext
from wallaroo.windows.timers import Timers


class Known(Lists):
    def output(self, key, values, window):
        return len(values), window.start // S, window.final


def tens(every=None, slide=10, policy="drop"):
    windows = wallaroo.range_windows(10 * S).with_slide(slide * S).with_late_data_policy(policy)
    return windows.with_early_results(every).over(Known)


def sessions(every=None):
    return wallaroo.session_windows(10 * S).with_early_results(every).over(Known)


def given(stage, *seconds):
    return [eval(text) for second in seconds for text, _ in stage.message("x", second)]  # noqa: S307


def test_every_message_gives_one_in_whatever_order_they_come():
    assert given(Stage(tens()), 5, 7, 6) == [(1, 0, False), (2, 0, False), (3, 0, False)]
    assert given(Stage(sessions()), 5, 7, 4) == [(1, 5, False), (2, 5, False), (3, 4, False)]


def test_so_often_is_by_the_event_time_of_the_window():
    stage = Stage(tens(every=4 * S))
    assert given(stage, 1, 4, 5, 3, 8, 9, 10) == [
        (1, 0, 0),
        (3, 0, 0),
        (6, 0, 0),
        (1, 10, 0),
    ]


def test_a_message_gives_one_of_each_window_that_it_is_in_and_that_is_open():
    stage = Stage(tens(slide=5))
    stage.watermark(10)
    assert given(stage, 7, 12) == [(1, 5, False), (2, 5, False), (1, 10, False)]


@pytest.mark.parametrize("policy", ["drop", "place-in-oldest-window"])
def test_a_late_message_gives_none(policy):
    stage = Stage(tens(policy=policy))
    stage.watermark(100)
    assert given(stage, 5) == []


def test_an_early_result_has_the_time_of_its_message_and_the_final_one_that_of_the_window():
    stage = Stage(tens())
    assert stage.message("x", 3) == [(repr((1, 0, False)), 3_000)]
    assert stage.watermark(10) == [(repr((1, 0, True)), 9_999)]


class Origin:
    def source(self):
        return "in[0]@7"


@pytest.mark.parametrize("windows", [tens(), sessions()])
def test_what_carries_it_says_that_it_is_not_final(windows):
    step = Window("known", windows, Store("known", "app-known-changelog", list))
    kind = kind_of(step)
    store = MemoryStore("known", *kind.store_format(step, codecs_of(None).state(list)))
    timers = Timers(store, due_times_of(step), 0)
    emitted, time = [], TimeContext({"known": timers})
    stage = kind.compose(step, Access(store.find, store.touch), time, lambda *made: emitted.append(made))
    stage("x", KEY, Moment(3 * S, Origin()))
    time.triggers[0].fire(*timers.heap[0])
    [(_, _, early), (_, _, final)] = emitted
    assert (type(early), early.final, event_time_of(early)) == (EarlyMoment, False, 3 * S)
    assert source_of(early) == "in[0]@7"
    assert getattr(final, "final", True)


@pytest.mark.parametrize(
    ("windows", "kind"),
    [
        (tens(every=4 * S), "windows of 10 s, late: drop, early: every 4 s"),
        (tens(), "windows of 10 s, late: drop, early: with every message"),
        (sessions(every=S), "sessions with gaps of up to 10 s, late: drop, early: every 1 s"),
    ],
)
def test_they_are_described(windows, kind):
    assert windows.kind == kind
