"""The clock of a source: what moves its watermark, what holds it, and when it asks whether it may."""

from hypothesis import given
from hypothesis import strategies as st

from wallaroo.windows.watermark import NEVER, UNKNOWN, Pause, SourceClock, WatermarkStatus

MS = 1_000_000


def source(watermark=1_000 * MS, idle_timeout_ms=10, horizon_ms=30, position=5, own=None, **options):
    clock = SourceClock(idle_timeout_ms * MS, horizon_ms * MS, **{"leads_on": True, **options})
    clock.restore(own or WatermarkStatus(watermark, idle=False), {}, position)
    return clock


def look(clock, *times_ms, position=5, eof=None, end=None):
    """What a loop does at these times, if the partition ends at `end`: by default, where it is read."""
    for now_ms in times_ms:
        clock.observe(now_ms, position, eof)
        due = clock.due_ms(None)
        if due is not None and due <= now_ms:
            clock.answer(clock.ask(now_ms), position if end is None else end, {})
    return clock.watermark // MS, clock.idle


def test_an_idle_source_asks_when_the_idle_timeout_is_over_and_follows_the_wall_clock():
    clock = source()
    assert look(clock, 100, 109) == (1_000, False)
    assert clock.due_ms(1_001 * MS) == 110
    question = clock.ask(112)
    assert (clock.watermark, question.asked_ms, question.of_input) == (1_000 * MS, 112, True)
    clock.answer(question, 5, {})
    assert clock.watermark == 1_012 * MS
    assert clock.due_ms(1_019 * MS) == 119


def test_before_the_idle_timeout_a_source_follows_the_wall_clock_as_far_behind_as_the_slack():
    clock = source(idle_timeout_ms=3_600, horizon_ms=3_600, slack=60 * MS)
    assert look(clock, 100, 159) == (1_000, False)
    assert clock.due_ms(1_500 * MS) == 660
    clock.answer(clock.ask(660), 5, {})
    assert (clock.watermark, clock.idle) == (1_500 * MS, False)
    clock.answer(clock.ask(3_699), 5, {})
    assert clock.watermark == (1_000 + 3_539) * MS
    clock.answer(clock.ask(3_700), 5, {})
    assert (clock.watermark, clock.idle) == (4_600 * MS, True)


def test_a_source_that_follows_behind_is_stopped_by_a_backlog_too():
    clock = source(idle_timeout_ms=3_600, horizon_ms=3_600, slack=60 * MS)
    look(clock, 100)
    clock.answer(clock.ask(1_000), 6, {})
    assert clock.watermark == 1_000 * MS
    assert clock.due_ms(1_001 * MS) == 2_000


def test_a_slack_longer_than_the_idle_timeout_means_nothing():
    clock = source(slack=60 * MS)
    look(clock, 100)
    assert clock.due_ms(1_001 * MS) == 110


@given(st.integers(0, 4_000), st.integers(0, 59))
def test_a_record_that_is_late_by_less_than_the_slack_is_in_front_of_the_watermark(pause_ms, later_ms):
    clock = source(idle_timeout_ms=10_000, horizon_ms=10_000, slack=60 * MS)
    look(clock, 100)
    clock.answer(clock.ask(100 + pause_ms), 5, {})
    assert clock.watermark <= (1_000 + max(0, pause_ms - later_ms)) * MS


def test_nothing_is_asked_before_something_can_come_of_it():
    clock = source(leads_on=False)
    look(clock, 100)
    assert clock.due_ms(None) is None
    assert clock.due_ms(1_025 * MS) == 125
    assert clock.due_ms(1_001 * MS) == 110


def test_an_idle_source_says_so_when_nothing_can_be_open_any_more():
    clock = source()
    assert look(clock, 100, 129) == (1_000, False)
    assert look(clock, 130) == (1_030, True)
    assert clock.rests_at == 5
    assert clock.due_ms(None) is None


def test_a_backlog_stops_the_wall_clock():
    clock = source()
    assert look(clock, 100, 1_000_000, end=6) == (1_000, False)
    assert clock.due_ms(None) == 1_001_000
    assert look(clock, 1_000_500, position=6, end=6) == (1_000, False)
    assert clock.due_ms(None) == 1_000_530


def test_a_broker_that_does_not_answer_stops_the_wall_clock():
    clock = source()
    look(clock, 100)
    clock.answer(clock.ask(200), None, {})
    assert clock.watermark == 1_000 * MS
    assert clock.due_ms(None) == 1_200


def test_a_record_begins_the_wait_anew():
    clock = source()
    look(clock, 100, 109)
    clock.watermark = 1_002 * MS
    assert look(clock, 109, 138, position=6) == (1_002, False)
    assert look(clock, 139, position=6) == (1_032, True)


def test_an_answer_to_a_question_from_before_the_last_record_moves_nothing():
    clock = source()
    look(clock, 100)
    question = clock.ask(200)
    look(clock, 201, position=6)
    clock.answer(question, 6, {})
    assert (clock.watermark, clock.idle) == (1_000 * MS, False)


def test_the_end_behind_markers_is_where_the_consumer_has_met_it():
    clock = source()
    assert look(clock, 100, 130, end=7) == (1_000, False)
    assert look(clock, 131, eof=7, end=7) == (1_030, True)
    assert clock.rests_at == 7


def test_an_idle_source_whose_partition_ends_elsewhere_by_now_says_where():
    clock = source()
    look(clock, 100, 130)
    assert look(clock, 200, eof=5) == (1_030, True)
    assert clock.due_ms(None) is None
    assert look(clock, 300, eof=8, end=8)[1]
    assert clock.rests_at == 8


def test_a_record_that_is_behind_the_wall_clock_does_not_take_it_back():
    clock = source()
    assert look(clock, 100, 135) == (1_030, True)
    assert look(clock, 136, 165, position=6) == (1_030, False)
    assert look(clock, 166, position=6) == (1_060, True)


def test_a_source_that_has_never_had_a_record_does_not_count():
    clock = source(watermark=NEVER)
    assert not clock.idle
    assert look(clock, 100)[1]
    assert clock.watermark == NEVER
    assert clock.due_ms(None) is None


def test_a_source_with_a_record_that_nobody_has_read_counts():
    assert not look(source(watermark=NEVER), 100, end=6)[1]


def test_a_source_that_was_idle_before_a_restart_still_is_and_checks_where_its_partition_ends():
    clock = source(own=WatermarkStatus(1_000 * MS, idle=True, position=7))
    assert (clock.idle, clock.due_ms(None)) == (True, 0)
    assert look(clock, 100, end=7) == (1_000, True)
    assert (clock.rests_at, clock.due_ms(None)) == (7, None)


def test_a_source_whose_partition_was_made_anew_says_where_it_ends_now():
    clock = source(own=WatermarkStatus(1_000 * MS, idle=True, position=700))
    assert look(clock, 100, end=5)[1]
    assert clock.rests_at == 5


def test_a_source_that_was_idle_in_the_version_before_says_where():
    clock = source(own=WatermarkStatus(1_000 * MS, idle=True, position=UNKNOWN))
    assert look(clock, 100)[1]
    assert clock.rests_at == 5


def test_a_source_that_was_idle_and_has_read_a_record_counts():
    clock = source(own=WatermarkStatus(1_000 * MS, idle=True, position=5))
    assert look(clock, 100, position=6) == (1_000, False)


def test_a_restart_takes_no_time_away():
    clock = source(own=WatermarkStatus(1_000 * MS, idle=False, pause=Pause(1_000 * MS, 90)))
    assert look(clock, 100, 119) == (1_000, False)
    assert look(clock, 120) == (1_030, True)


def test_the_clock_of_another_machine_adds_no_more_than_the_horizon():
    clock = source(own=WatermarkStatus(1_000 * MS, idle=False, pause=Pause(1_000 * MS, 90)))
    assert look(clock, 10**9) == (1_030, True)


def test_the_clock_of_another_machine_that_is_ahead_begins_the_wait_anew():
    clock = source(own=WatermarkStatus(1_000 * MS, idle=False, pause=Pause(1_000 * MS, 10**9)))
    assert look(clock, 100, 129) == (1_000, False)
    assert look(clock, 130) == (1_030, True)


def test_a_rollback_without_records_takes_no_time_away():
    clock = source()
    look(clock, 100, 112)
    clock.restore(WatermarkStatus(1_000 * MS, idle=False), {}, 5)
    assert look(clock, 130) == (1_030, True)


def test_a_rollback_with_records_begins_the_wait_anew():
    clock = source()
    look(clock, 100)
    look(clock, 101, position=9)
    clock.restore(WatermarkStatus(1_000 * MS, idle=False), {}, 5)
    assert look(clock, 500) == (1_000, False)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1), st.integers(0, 1)), max_size=30))
def test_a_source_never_goes_back(looks):
    clock, now, position = source(), 0, 5
    for passed, read, unread in looks:
        before, now, position = clock.watermark, now + passed, position + read
        look(clock, now, position=position, end=position + unread)
        assert clock.watermark >= before
