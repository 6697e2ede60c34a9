"""The clock of a task behind a repartition topic: which upstreams count, and which may be left out."""

from hypothesis import given
from hypothesis import strategies as st

from wallaroo.windows.upstreams import UpstreamClock
from wallaroo.windows.watermark import NEVER, NO_WATERMARK, UNKNOWN, Pause, WatermarkStatus

MS = 1_000_000
ANY = -(2**62)


def upstreams(*names, own=NO_WATERMARK, known=None, topics=None):
    topics = topics or {"in": "topic"}
    clock = UpstreamClock(names, topics, 1_000 * MS, leads_on=True)
    clock.restore(own, known or {}, 3)
    return clock


def idle(watermark, position=7):
    return WatermarkStatus(watermark, idle=True, position=position)


def hear(clock, **reports):
    for name, report in reports.items():
        status = report if isinstance(report, WatermarkStatus) else WatermarkStatus(report, idle=False)
        clock.update(f"in/{name[1:]}", status)
    return clock.watermark


def look(clock, now_ms, end=3, wanted=ANY, **ends):
    """Ask if it is time to; the upstreams' inputs end where they say unless told otherwise."""
    clock.observe(now_ms, 3, None)
    due = clock.due_ms(wanted)
    if due is not None and due <= now_ms:
        question = clock.ask(now_ms)
        answers = {("topic", int(name[1:])): offset for name, offset in ends.items()}
        clock.answer(question, end, {**question.upstreams, **answers})
    return clock.watermark


def test_the_slowest_upstream_counts():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=100, p1=40) == 40
    assert hear(clock, p1=90) == 90
    assert hear(clock, p1=130) == 100


def test_an_upstream_that_has_not_been_heard_holds_everything():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=idle(100)) == NEVER
    assert look(clock, 10**9) == NEVER


def test_an_upstream_that_says_nothing_any_more_holds_everything():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=40)
    assert look(clock, 10**9) == 40
    assert hear(clock, p0=10**6) == 40


def test_an_idle_upstream_is_left_out_once_its_input_still_ends_where_it_was_read_to():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=100, p1=idle(40)) == 40
    assert look(clock, 1) == 100
    assert hear(clock, p0=200) == 100
    assert look(clock, 2) == 200


def test_an_idle_upstream_with_a_backlog_is_waited_for():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    assert look(clock, 1, p1=9) == 40
    assert look(clock, 500) == 40
    assert hear(clock, p1=60) == 60


def test_an_input_that_ends_before_the_idle_position_is_another_input():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    assert look(clock, 1, p1=6) == 40


def test_after_an_answer_that_did_not_help_it_waits_before_it_asks_again_unless_it_hears_something():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    look(clock, 1, p1=9)
    assert clock.due_ms(ANY) == 1_001
    hear(clock, p1=idle(40, position=9))
    assert look(clock, 2) == 100


def test_a_broker_that_does_not_answer_leaves_nobody_out():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    assert look(clock, 1, p1=None) == 40


def test_an_answer_confirms_no_report_that_came_after_its_question():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    question = clock.ask(1)
    hear(clock, p0=200)
    clock.answer(question, 3, question.upstreams)
    assert clock.watermark == 100


def test_an_answer_about_an_upstream_that_has_woken_meanwhile_leaves_nobody_out():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    question = clock.ask(1)
    hear(clock, p1=50)
    clock.answer(question, 3, question.upstreams)
    assert clock.watermark == 50


def test_an_upstream_that_was_idle_in_the_version_before_is_waited_for_until_it_says_where():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40, position=UNKNOWN))
    assert clock.due_ms(ANY) is None
    hear(clock, p1=idle(40))
    assert look(clock, 1) == 100


def test_nobody_is_asked_if_nothing_comes_of_it():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    assert clock.due_ms(None) is None
    assert clock.due_ms(101) is None
    assert clock.due_ms(100) == 0


def test_an_upstream_that_wakes_counts_again_and_takes_nothing_back():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=idle(40))
    look(clock, 1)
    assert hear(clock, p1=50, p0=300) == 100
    assert hear(clock, p1=120) == 120


def test_when_all_are_idle_the_furthest_counts_and_then_the_wall_clock():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=idle(100 * MS), p1=idle(40 * MS)) == 40 * MS
    assert look(clock, 7, p0=8) == 40 * MS
    assert not clock.idle
    assert look(clock, 1_008, end=4) == 100 * MS
    assert (clock.idle, clock.rests_at) == (True, 4)
    assert clock.due_ms(110 * MS) == 1_018
    assert look(clock, 1_018, wanted=110 * MS) == 110 * MS


def test_when_none_has_ever_had_a_record_there_is_no_time():
    clock = upstreams("in/0")
    hear(clock, p0=idle(NEVER))
    look(clock, 1)
    assert look(clock, 10**6) == NEVER
    assert clock.idle
    assert clock.due_ms(ANY) is None


def test_it_stops_being_idle_with_the_first_upstream_that_wakes():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=idle(100), p1=idle(40))
    look(clock, 8)
    hear(clock, p1=41)
    assert not clock.idle


def test_a_restart_takes_no_time_away_from_a_task_that_follows_the_wall_clock():
    own = WatermarkStatus(100 * MS, idle=True, position=3, pause=Pause(100 * MS, 50))
    clock = upstreams("in/0", own=own, known={"in/0": idle(100 * MS)})
    assert look(clock, 60) == 110 * MS


def test_a_task_whose_input_ends_elsewhere_after_a_restart_says_where():
    clock = upstreams("in/0", own=idle(100, position=2), known={"in/0": idle(100)})
    look(clock, 1, end=5)
    assert (clock.idle, clock.rests_at, clock.due_ms(None)) == (True, 5, None)


def test_upstreams_of_several_topics_are_asked_for_each_in_its_own():
    clock = upstreams("one/0", "two/0", topics={"one": "topic-1", "two": "topic-2"})
    clock.update("one/0", idle(5, position=7))
    clock.update("two/0", idle(6, position=8))
    assert clock.ask(1).upstreams == {("topic-1", 0): 7, ("topic-2", 0): 8}


def test_a_report_that_goes_back_is_not_believed():
    clock = upstreams("in/0")
    assert hear(clock, p0=100) == 100
    assert hear(clock, p0=50) == 100
    assert clock.upstreams["in/0"] == WatermarkStatus(100, idle=False)


def test_a_new_partition_of_a_known_upstream_is_listened_to():
    clock = upstreams("in/0")
    assert hear(clock, p0=100, p1=200, p2=50) == 100
    assert hear(clock, p0=300) == 100
    assert hear(clock, p2=250) == 200


def test_a_sub_topology_that_is_no_upstream_any_more_is_not_waited_for():
    known = {"old/0": WatermarkStatus(1, idle=False), "in/0": WatermarkStatus(50, idle=False)}
    clock = upstreams("in/0", known=known)
    clock.update("old/0", WatermarkStatus(2, idle=False))
    clock.update("in/x", WatermarkStatus(2, idle=False))
    assert hear(clock, p0=100) == 100


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90), st.booleans(), st.booleans()), max_size=40))
def test_a_minimum_never_goes_back(reports):
    clock = upstreams("in/0", "in/1", "in/2")
    for now_ms, (number, at, rests, unread) in enumerate(reports):
        before = clock.watermark
        clock.update(f"in/{number}", idle(at) if rests else WatermarkStatus(at, idle=False))
        look(clock, now_ms, p1=7 + unread)
        assert clock.watermark >= before
