"""Clocks: what moves a watermark, what holds it, and who counts."""

from hypothesis import given
from hypothesis import strategies as st

from wallaroo.windows.watermark import NEVER, NO_WATERMARK, SourceClock, UpstreamClock, WatermarkStatus

MS = 1_000_000


def source(watermark=1_000 * MS, idle_timeout_ms=10, horizon_ms=30, position=5, idle=False):
    clock = SourceClock(idle_timeout_ms * MS, horizon_ms * MS)
    clock.restore(WatermarkStatus(watermark, idle), {}, position)
    return clock


def look(clock, *times_ms, position=5, caught_up=True):
    for now_ms in times_ms:
        clock.advance_wall_clock(now_ms, position, caught_up=caught_up)
    return clock.watermark // MS, clock.idle


def test_an_idle_source_follows_the_wall_clock():
    clock = source()
    assert look(clock, 100, 109) == (1_000, False)
    assert look(clock, 110) == (1_010, False)
    assert look(clock, 117) == (1_017, False)


def test_an_idle_source_says_so_when_nothing_can_be_open_any_more():
    clock = source()
    assert look(clock, 100, 129) == (1_029, False)
    assert look(clock, 130) == (1_030, True)
    assert look(clock, 140) == (1_040, True)


def test_a_backlog_stops_the_wall_clock():
    clock = source()
    assert look(clock, 100, 1_000_000, caught_up=False) == (1_000, False)
    assert look(clock, 1_000_001) == (1_000, False)
    assert look(clock, 1_000_011) == (1_010, False)


def test_a_backlog_begins_the_wait_anew():
    clock = source()
    look(clock, 100, 105)
    look(clock, 106, caught_up=False)
    assert look(clock, 107, 116) == (1_000, False)
    assert look(clock, 117) == (1_010, False)


def test_a_record_begins_the_wait_anew():
    clock = source()
    look(clock, 100, 109)
    clock.watermark = 1_002 * MS
    assert look(clock, 109, position=6) == (1_002, False)
    assert look(clock, 118, position=6) == (1_002, False)
    assert look(clock, 119, position=6) == (1_012, False)


def test_a_record_that_is_behind_the_wall_clock_does_not_take_it_back():
    clock = source()
    assert look(clock, 100, 125) == (1_025, False)
    assert look(clock, 126, position=6) == (1_025, False)
    assert look(clock, 136, position=6) == (1_035, False)


def test_a_source_that_has_never_had_a_record_does_not_count():
    clock = source(watermark=NEVER)
    assert not clock.idle
    assert look(clock, 100)[1]
    assert clock.watermark == NEVER
    clock.advance_wall_clock(10**9, 5, caught_up=True)
    assert clock.watermark == NEVER


def test_a_source_that_was_idle_must_see_that_it_still_is_before_it_says_so():
    clock = source(idle=True)
    assert not clock.idle
    assert look(clock, 100, caught_up=False) == (1_000, False)
    assert look(clock, 101) == (1_000, True)


def test_a_source_that_was_idle_and_has_a_record_by_now_counts():
    clock = source(idle=True)
    assert look(clock, 100, position=6) == (1_000, False)


def test_a_rollback_without_records_takes_no_time_away():
    clock = source()
    look(clock, 100, 112)
    clock.restore(WatermarkStatus(1_000 * MS, idle=False), {}, 5)
    assert clock.watermark == 1_000 * MS
    assert look(clock, 113) == (1_013, False)


def test_a_rollback_with_records_begins_the_wait_anew():
    clock = source()
    look(clock, 100)
    look(clock, 101, position=9)
    clock.restore(WatermarkStatus(1_000 * MS, idle=False), {}, 5)
    assert look(clock, 500) == (1_000, False)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1), st.booleans()), max_size=30))
def test_a_source_never_goes_back(looks):
    clock, now, position = source(), 0, 5
    for passed, read, caught_up in looks:
        before, now, position = clock.watermark, now + passed, position + read
        clock.advance_wall_clock(now, position, caught_up=caught_up)
        assert clock.watermark >= before


def upstreams(*names):
    clock = UpstreamClock(names)
    clock.restore(NO_WATERMARK, {}, 0)
    return clock


def hear(clock, **marks):
    for name, mark in marks.items():
        at, idle = mark if isinstance(mark, tuple) else (mark, False)
        clock.update(f"in/{name[1:]}", WatermarkStatus(at, idle))
    return clock.watermark


def test_the_slowest_upstream_counts():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=100, p1=40) == 40
    assert hear(clock, p1=90) == 90
    assert hear(clock, p1=130) == 100


def test_an_upstream_that_has_not_been_heard_holds_everything():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=100) == NEVER
    clock.advance_wall_clock(10**9, 0, caught_up=True)
    assert clock.watermark == NEVER


def test_an_upstream_that_says_nothing_any_more_holds_everything():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=40)
    clock.advance_wall_clock(10**9, 0, caught_up=True)
    assert hear(clock, p0=10**6) == 40


def test_an_idle_upstream_does_not_count():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=100, p1=(40, True)) == 100
    assert hear(clock, p0=200) == 200


def test_an_upstream_that_wakes_counts_again_and_takes_nothing_back():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=100, p1=(40, True))
    assert hear(clock, p1=50, p0=300) == 100
    assert hear(clock, p1=120) == 120


def test_when_all_are_idle_the_furthest_counts_and_then_the_wall_clock():
    clock = upstreams("in/0", "in/1")
    assert hear(clock, p0=(100 * MS, True), p1=(40 * MS, True)) == NEVER
    clock.advance_wall_clock(7, 0, caught_up=False)
    assert (clock.watermark, clock.idle) == (NEVER, False)
    clock.advance_wall_clock(8, 0, caught_up=True)
    assert (clock.watermark, clock.idle) == (100 * MS, True)
    clock.advance_wall_clock(18, 0, caught_up=True)
    assert clock.watermark == 110 * MS


def test_when_none_has_ever_had_a_record_there_is_no_time():
    clock = upstreams("in/0")
    hear(clock, p0=(NEVER, True))
    clock.advance_wall_clock(1, 0, caught_up=True)
    clock.advance_wall_clock(10**6, 0, caught_up=True)
    assert (clock.watermark, clock.idle) == (NEVER, True)


def test_it_stops_being_idle_with_the_first_upstream_that_wakes():
    clock = upstreams("in/0", "in/1")
    hear(clock, p0=(100, True), p1=(40, True))
    clock.advance_wall_clock(8, 0, caught_up=True)
    hear(clock, p1=41)
    assert not clock.idle


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
    clock = UpstreamClock(["in/0"])
    clock.restore(
        NO_WATERMARK, {"old/0": WatermarkStatus(1, idle=False), "in/0": WatermarkStatus(50, idle=False)}, 0
    )
    clock.update("old/0", WatermarkStatus(2, idle=False))
    assert hear(clock, p0=100) == 100


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90), st.booleans()), max_size=40))
def test_a_minimum_never_goes_back(reports):
    clock = upstreams("in/0", "in/1", "in/2")
    for number, at, idle in reports:
        before = clock.watermark
        clock.update(f"in/{number}", WatermarkStatus(at, idle))
        assert clock.watermark >= before
