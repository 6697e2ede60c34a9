"""Sessions in their task: where they begin and end, what joins them, what is stored of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from tests.unit.windows.stage import KEY, Lists, S, Stage
from wallaroo.errors import StoredValueError
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.windows.stored_sessions import Session, Sessions, SessionsCodec, session_reader

INNER = state_codec(list, RestrictedPickle(["tests"]))
GAP = 10
CODEC = SessionsCodec(GAP, INNER.encode, INNER.decode)


class Spans(Lists):
    def output(self, key, values, window):
        return values, window.start // S, window.end // S, window.final


class Counting(Lists):
    """Counts the calls of all its methods."""

    def __init__(self):
        self.calls = {"update": 0, "combine": 0}

    def update(self, message, values):
        self.calls["update"] += 1
        super().update(message, values)

    def combine(self, one, other):
        self.calls["combine"] += 1
        return super().combine(one, other)


def sessions(gap, delay=0, policy="drop", over=Spans):
    made = wallaroo.session_windows(wallaroo.seconds(gap)).with_delay(wallaroo.seconds(delay))
    return made.with_late_data_policy(policy).over(over)


def values(made):
    return [eval(text) for text, _ in made]  # noqa: S307 - written by ourselves


def test_messages_that_are_the_gap_apart_are_one_session():
    stage = Stage(sessions(10))
    for second in (0, 10, 21):
        stage.message(second, second)
    assert values(stage.watermark(100)) == [([0, 10], 0, 20, True), ([21], 21, 31, True)]


def test_a_session_is_due_when_the_watermark_has_passed_the_gap_and_the_delay():
    stage = Stage(sessions(10, delay=5))
    stage.message("x", 0)
    assert stage.watermark(15) == []
    stage.message("still in order for some", 10)
    assert stage.watermark(25) == []
    assert stage.watermark(26) == [(repr((["x", "still in order for some"], 0, 20, True)), 20_000)]


def test_a_message_between_two_sessions_makes_one_of_them():
    stage = Stage(sessions(10, over=Counting))
    calls = stage.sub.steps[0].declared.aggregation.calls
    for second in (0, 20, 40, 10):
        stage.message(second, second)
    assert calls == {"update": 4, "combine": 1}
    assert values(stage.watermark(100)) == [[0, 20, 10], [40]]


def test_a_session_that_gets_an_earlier_message_begins_with_it():
    stage = Stage(sessions(10))
    for second in (30, 25, 0):
        stage.message(second, second)
    assert values(stage.watermark(100)) == [([0], 0, 10, True), ([30, 25], 25, 40, True)]


def test_what_joins_an_open_session_is_not_late():
    stage = Stage(sessions(10))
    stage.message("a", 20)
    stage.watermark(30)
    stage.message("b", 15)
    stage.message("c", 6)
    assert values(stage.watermark(31)) == [(["a", "b", "c"], 6, 30, True)]


def test_what_would_have_joined_a_session_that_has_fired_is_in_one_of_its_own():
    stage = Stage(sessions(10))
    stage.message("a", 0)
    stage.watermark(12)
    stage.message("b", 9)
    assert values(stage.watermark(100)) == [(["b"], 9, 19, True)]


def test_a_late_message_is_dropped_and_counted():
    stage = Stage(sessions(10))
    stage.watermark(100)
    stage.message("late", 89)
    assert stage.batches[-1].late == {"Spans": 1}
    stage.message("just in time", 90)
    assert values(stage.watermark(101)) == [(["just in time"], 90, 100, True)]


def test_a_late_message_fires_as_a_session_of_its_own():
    stage = Stage(sessions(10, policy="fire-per-message"))
    stage.watermark(100)
    assert stage.message("late", 50) == [(repr((["late"], 50, 60, True)), 50_000)]


def test_a_late_message_goes_into_the_oldest_session_which_stays_as_it_is():
    stage = Stage(sessions(10, policy="place-in-oldest-window"))
    stage.message("a", 95)
    stage.message("b", 120)
    stage.watermark(100)
    stage.message("late", 50)
    assert values(stage.watermark(200)) == [(["a", "late"], 95, 105, True), (["b"], 120, 130, True)]


def test_a_late_message_without_a_session_begins_the_first_that_is_not_past_due():
    stage = Stage(sessions(10, policy="place-in-oldest-window"))
    stage.watermark(100)
    stage.message("late", 50)
    assert values(stage.watermark(101)) == [(["late"], 90, 100, True)]


def test_a_session_that_goes_on_has_one_timer():
    stage = Stage(sessions(10))
    timers = stage.task.timeline.timers["spans"]
    for second in range(0, 100, 5):
        stage.message(second, second)
        stage.watermark(second)
    assert len(timers.heap) == 1
    assert len(values(stage.watermark(200))) == 1
    assert timers.heap == []
    assert stage.stores["spans"].get(KEY) is None


def test_sessions_that_come_in_any_order_leave_no_timers_behind():
    stage = Stage(sessions(1))
    for begin in range(0, 1000, 10):
        for second in (6, 3, 0):
            stage.message(second, begin + second)
        stage.watermark(begin + 5)
    assert len(stage.task.timeline.timers["spans"].heap) < 5


def test_early_results_stay_where_they_were_over_a_restart():
    stage = Stage(early_sessions())
    assert [stage.message(n, n) != [] for n in (0, 4, 5)] == [True, False, True]
    stage.start(stage.offset)
    assert [stage.message(n, n) != [] for n in (9, 10)] == [False, True]


def test_of_two_sessions_that_become_one_the_later_early_result_counts():
    stage = Stage(early_sessions())
    assert [stage.message(n, n) != [] for n in (0, 20, 10, 24, 25)] == [True, True, False, False, True]


def early_sessions():
    return wallaroo.session_windows(wallaroo.seconds(10)).with_early_results(wallaroo.seconds(5)).over(Spans)


times = st.lists(st.integers(0, 200), min_size=1, max_size=6, unique=True)


def stored(*spans):
    return Sessions([Session(first, last, [first], early) for first, last, early in spans])


def fields(made):
    return [(each.first, each.last, each.accumulator, each.early) for each in made.open]


@pytest.mark.parametrize(
    "made", [stored(), stored((0, 0, None)), stored((-5, 7, 3), (18, 2**62, None)), stored((0, 0, 0))]
)
def test_sessions_come_back(made):
    assert fields(CODEC.decode(CODEC.encode(made))) == fields(made)


@given(times)
def test_the_oldest_is_read_without_decoding(at):
    made = Sessions()
    for time in at:
        if made.join(time, GAP, Lists()) is None:
            made.begin(time, Lists())
    assert session_reader(GAP)(CODEC.encode(made)) == min(each.last for each in made.open)
    assert fields(CODEC.decode(CODEC.encode(made))) == fields(made)


def test_sessions_of_another_gap_are_refused():
    data = CODEC.encode(stored((0, 0, None)))
    with pytest.raises(StoredValueError, match="another gap than that declared"):
        SessionsCodec(11, INNER.encode, INNER.decode).decode(data)
    with pytest.raises(StoredValueError, match="another gap than that declared"):
        session_reader(11)(data)


WHOLE = CODEC.encode(stored((0, 5, None), (20, 20, 20)))
# A value that ends there holds fewer sessions.
BOUNDARIES = len(CODEC.encode(stored())), len(CODEC.encode(stored((0, 5, None))))


@pytest.mark.parametrize("size", sorted({*range(len(WHOLE))} - {*BOUNDARIES}))
def test_sessions_that_end_in_the_middle_are_refused(size):
    with pytest.raises(StoredValueError):
        CODEC.decode(WHOLE[:size])


@pytest.mark.parametrize(
    "made", [stored((0, 5, None), (15, 20, None)), stored((5, 0, None)), stored((20, 20, None), (0, 0, None))]
)
def test_sessions_that_contradict_themselves_are_refused(made):
    with pytest.raises(StoredValueError, match="contradict themselves"):
        CODEC.decode(CODEC.encode(made))
