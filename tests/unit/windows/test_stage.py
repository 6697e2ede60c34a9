"""A window stage in its task: who fires when, what is late, what is told on, what is left."""

import pytest

import wallaroo
from tests.unit.task.fakes import changed
from tests.unit.windows.stage import KEY, Lists, S, Stage, Sum, range_windows
from wallaroo.errors import StoredValueError
from wallaroo.windows.watermark import WatermarkStatus


def texts(made):
    return [text for text, _ in made]


class Counting(Sum):
    """Counts the calls of all its methods."""

    def __init__(self):
        self.calls = {"initial_accumulator": 0, "update": 0, "combine": 0, "output": 0}

    def initial_accumulator(self):
        self.calls["initial_accumulator"] += 1
        return super().initial_accumulator()

    def update(self, message, total):
        self.calls["update"] += 1
        return super().update(message, total)

    def combine(self, one, other):
        self.calls["combine"] += 1
        return super().combine(one, other)

    def output(self, key, total):
        self.calls["output"] += 1
        return super().output(key, total)


def counting_stage(*spans):
    stage = Stage(range_windows(*spans, over=Counting))
    return stage, stage.sub.steps[0].declared.aggregation.calls


def test_a_message_costs_one_update_whatever_the_overlap():
    stage, calls = counting_stage(100, 1)
    for second in range(10):
        stage.message(1, second)
    assert calls["update"] == 10


def test_an_empty_window_asks_for_no_output():
    stage, calls = counting_stage(10)
    stage.message(1, 5)
    stage.message(1, 10**8)
    stage.watermark(2 * 10**8)
    assert calls["output"] == 2


def test_every_due_window_fires_whatever_key_moved_the_watermark():
    stage = Stage(range_windows(10, over=Lists))
    for second, key in ((25, b"c"), (5, b"b"), (5, b"a"), (15, b"a")):
        stage.message(key.decode(), second, key)
    assert texts(stage.watermark(30)) == ["['a']", "['b']", "['a']", "['c']"]


def test_a_message_in_time_for_some_windows_goes_into_those():
    stage = Stage(range_windows(9, slide=3))
    stage.message(1, 10)
    assert texts(stage.watermark(12)) == ["1"]
    stage.message(5, 11)
    assert texts(stage.watermark(100)) == ["6", "6"]


def test_a_late_message_that_opens_a_window_of_its_own_waits_for_its_end():
    stage = Stage(range_windows(10, policy="place-in-oldest-window", over=Lists))
    stage.watermark(105)
    assert stage.message(1, 5) == []
    assert texts(stage.watermark(109)) == []
    assert stage.watermark(110) == [("[1]", 109_999)]


def test_a_late_message_for_the_oldest_window_leaks_into_no_other():
    stage = Stage(range_windows(9, slide=3, policy="place-in-oldest-window", over=Lists))
    stage.watermark(30)
    stage.message("in time", 38)
    stage.message("late", 1)
    assert stage.watermark(100) == [
        ("['late', 'in time']", 38_999),
        ("['in time']", 41_999),
        ("['in time']", 44_999),
    ]


def test_late_messages_are_counted_by_stage():
    for policy in ("drop", "fire-per-message", "place-in-oldest-window"):
        stage = Stage(range_windows(10, policy=policy))
        stage.watermark(30)
        stage.message(1, 5)
        assert stage.batches[-1].late == {"Sum": 1}
        assert stage.batches[-1].dropped == ({("Sum", "late"): 1} if policy == "drop" else {})


def test_a_message_that_fires_alone_keeps_its_own_time():
    stage = Stage(range_windows(10, policy="fire-per-message"))
    stage.watermark(30)
    assert stage.message(7, 5) == [("7", 5_000)]


def test_a_key_with_nothing_left_is_a_tombstone():
    stage = Stage(range_windows(10))
    stage.message(1, 5)
    stage.watermark(10)
    assert changed(stage.batches[-1])["sum"] == {KEY: None}
    store = stage.stores["sum"]
    assert store._committed == store._live == {}
    assert stage.task.timeline.timers["sum"].heap == []


def test_memory_does_not_grow_with_time():
    stage = Stage(range_windows(9, slide=3, delay=5))
    for second in range(0, 3_000, 2):
        stage.message(1, second, b"%d" % (second % 7))
        stage.watermark(second)
    store = stage.stores["sum"]
    assert max(len(store), len(store._live)) <= 7
    assert len(stage.task.timeline.timers["sum"].heap) <= 14
    assert max(len(contents.panes) for contents in store._live.values()) <= 6


def test_count_windows_leave_nothing_behind_either():
    stage = Stage(wallaroo.count_windows(2).over(Sum))
    stage.message(1, 1)
    assert len(stage.stores["sum"]) == 1
    stage.message(1, 1)
    assert stage.stores["sum"]._committed == stage.stores["sum"]._live == {}


def test_a_restart_goes_on_where_it_was():
    stage = Stage(range_windows(10))
    stage.message(1, 5)
    stage.watermark(9)
    stage.start(stage.offset)
    assert stage.message(2, 8) == []
    assert texts(stage.watermark(10)) == ["3"]
    stage.start(stage.offset)
    stage.message(4, 9)
    assert stage.batches[-1].late == {"Sum": 1}


def test_a_dead_upstream_holds_every_window():
    stage = Stage(range_windows(10), upstreams=2)
    stage.message(1, 5)
    stage.watermark(20, upstream=0)
    stage.watermark(3, upstream=1)
    assert stage.look(10**6) + stage.watermark(10**6, upstream=0) + stage.look(10**7) == []
    assert texts(stage.watermark(10, upstream=1)) == ["1"]


def test_an_idle_upstream_that_has_nothing_to_read_holds_none():
    stage = Stage(range_windows(10), upstreams=2)
    stage.message(1, 5)
    assert stage.watermark(20, upstream=0) + stage.watermark(None, upstream=1, idle=True) == []
    assert texts(stage.look(1)) == ["1"]


def test_an_idle_upstream_with_a_backlog_is_waited_for():
    stage = Stage(range_windows(10), upstreams=2)
    stage.message(1, 5)
    assert stage.watermark(None, upstream=1, idle=True) + stage.watermark(20, upstream=0) == []
    assert stage.look(1, caught_up=False) + stage.watermark(4, upstream=1) + stage.look(3) == []
    assert stage.message(2, 6) == []
    assert texts(stage.watermark(20, upstream=1)) == ["3"]


def test_a_backlog_keeps_the_wall_clock_from_closing_windows():
    stage = Stage(range_windows(10))
    stage.message(1, 5)
    stage.watermark(5, idle=True)
    assert stage.look(10**6, caught_up=False) == []
    assert stage.look(2 * 10**6) + stage.look(2 * 10**6 + 4) == []
    assert texts(stage.look(2 * 10**6 + 5)) == ["1"]


def test_control_records_are_no_records():
    stage = Stage(range_windows(10))
    stage.watermark(5)
    assert (stage.batches[-1].records, stage.batches[-1].next_offset) == (0, 1)
    stage.message(1, 5)
    assert stage.batches[-1].records == 1
    assert stage.task.timeline.take_control_records() == 1


def test_an_unknown_control_record_is_a_stored_value_error():
    stage = Stage(range_windows(10))
    with pytest.raises(StoredValueError, match="control record"):
        stage.read(b"1C?", None, 0)


def test_a_record_without_a_key_that_is_a_damaged_control_record_is_a_stored_value_error():
    stage = Stage(range_windows(10))
    with pytest.raises(StoredValueError, match="a control record cannot be read"):
        stage.read(b"2C", None, 0)


def test_nothing_happens_while_nothing_happens():
    stage = Stage(range_windows(10))
    stage.watermark(5)
    batches = len(stage.batches)
    assert stage.look(1) + stage.look(2) == []
    assert len(stage.batches) == batches


def test_a_user_gets_the_key_as_text():
    class Keys(Sum):
        def output(self, key, total):
            return key

    stage = Stage(range_windows(10, over=Keys))
    for key in (b"\xff", "Zoë".encode()):
        stage.message(1, 5, key)
    assert sorted(texts(stage.watermark(10))) == ["'Zoë'", "'\\\\xff'"]


def test_what_has_been_heard_is_stored_with_what_came_of_it():
    stage = Stage(range_windows(10), upstreams=2)
    stage.watermark(7, upstream=1, idle=True)
    stage.watermark(5, upstream=0)
    store = stage.stores["by-key-watermarks"]
    assert {key: store.peek(key) for key, _ in store.items()} == {
        b"in/0": WatermarkStatus(5 * S, idle=False),
        b"in/1": WatermarkStatus(7 * S, idle=True, position=7),
        b"by-key/0": WatermarkStatus(5 * S, idle=False),
    }
