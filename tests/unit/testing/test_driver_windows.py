"""ApplicationDriver: what `state` shows of windows that are still open, and when idle ones close."""

import wallaroo
from tests.properties.window_model import Message
from tests.properties.window_samples import (
    MS,
    Counting,
    Gather,
    GatherTuples,
    Shape,
    behind_a_hop,
    finished,
    read,
    send,
    source,
)
from wallaroo.testing import ApplicationDriver

PLACE = "place-in-oldest-window"
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
MINUTE = MINUTE_MS * MS


def of_key(partition_of):
    return lambda message: partition_of(message.key)


def driver_with(windows, *times):
    made = ApplicationDriver(behind_a_hop(windows), {"in": 1})
    send(made, [Message("a", n, time * MS) for n, time in enumerate(times)])
    made.run()
    return made


def test_open_windows_are_their_accumulators_by_their_begin():
    made = driver_with(Shape(range=10, slide=10).declared(), 1, 12, 11)
    assert made.state("Gather", "a") == {10 * MS: [1, 2]}


def test_a_message_is_in_every_sliding_window_that_covers_it():
    made = driver_with(Shape(range=10, slide=5).declared(), 9, 12)
    assert made.state("Gather", "a") == {5 * MS: [0, 1], 10 * MS: [1]}


def test_a_window_waits_for_its_delay():
    made = driver_with(Shape(range=10, slide=10, delay=5).declared(), 1, 14)
    assert made.state("Gather", "a") == {0: [0], 10 * MS: [1]}


def test_what_came_late_is_in_the_window_that_it_was_placed_in():
    made = driver_with(Shape(range=10, slide=5, policy=PLACE).declared(GatherTuples), 1, 24, 2)
    assert made.state("GatherTuples", "a") == {15 * MS: (2, 1), 20 * MS: (1,)}


def test_a_count_window_is_how_many_and_their_accumulator():
    made = driver_with(Counting(3).declared(), 1, 2, 3, 4, 5)
    assert made.state("Gather", "a") == (2, [3, 4])


def test_a_key_without_an_open_window_has_no_state():
    ranged, counted = driver_with(Shape(10, 10).declared(), 1), driver_with(Counting(1).declared(), 1)
    ranged.advance(100)
    ranged.run()
    assert ranged.state("Gather", "a") is None
    assert counted.state("Gather", "a") is None
    assert counted.state("Gather", "nobody") is None


def test_windows_of_the_whole_stream_need_no_key():
    windows = wallaroo.count_windows(3).over(Gather)
    made = ApplicationDriver(finished(source().to(windows)), {"in": 1})
    send(made, [Message("a", 7, 0), Message("b", 8, 0)])
    made.run()
    assert made.state("Gather") == (2, [7, 8])


def test_what_is_open_comes_back_after_a_crash():
    made = driver_with(Shape(range=10, slide=5).declared(), 12, 17)
    before = made.state("Gather", "a")
    made.crash()
    assert made.state("Gather", "a") == before != {}


def test_looking_changes_nothing():
    made = driver_with(Shape(range=10, slide=10).declared(), 1)
    made.state("Gather", "a")[0].append("something else")
    assert made.state("Gather", "a") == {0: [0]}


def test_an_hourly_window_with_one_quiet_partition_comes_a_minute_after_its_hour():
    made = ApplicationDriver(behind_a_hop(Shape(HOUR_MS, HOUR_MS).declared()), {"in": 2})
    partition_of = {"quiet": 0, "busy": 1}.get
    send(made, [Message("quiet", 1, 50 * MINUTE), Message("busy", 2, 50 * MINUTE)], of_key(partition_of))
    made.run()
    made.advance(10 * MINUTE_MS + 59_000)
    send(made, [Message("busy", 3, 61 * MINUTE)], of_key(partition_of))
    made.run()
    assert read(made) == {}
    made.advance(11_000)
    made.run()
    assert read(made) == {"quiet": [((1,), HOUR_MS - 1)], "busy": [((2,), HOUR_MS - 1)]}


def test_a_record_of_a_quiet_partition_that_comes_a_minute_later_than_the_last_one_is_not_late():
    made = ApplicationDriver(behind_a_hop(Shape(HOUR_MS, HOUR_MS).declared()), {"in": 2})
    partition_of = {"quiet": 0, "busy": 1}.get
    send(made, [Message("quiet", 1, 50 * MINUTE), Message("busy", 2, 50 * MINUTE)], of_key(partition_of))
    made.run()
    made.advance(10 * MINUTE_MS + 59_000)
    send(made, [Message("busy", 3, 61 * MINUTE), Message("quiet", 4, 60 * MINUTE - MS)], of_key(partition_of))
    made.run()
    made.advance(2 * HOUR_MS)
    made.run()
    assert sorted(values for (values, _) in read(made)["quiet"]) == [(1, 4)]


def test_an_idle_timeout_is_the_setting_of_that_name():
    for idle_timeout_ms, closed in ((50, {}), (20, {"a": [((0,), 9)]})):
        made = ApplicationDriver(behind_a_hop(Shape(10, 10).declared()), 1, idle_timeout_ms=idle_timeout_ms)
        send(made, [Message("a", 0, MS)])
        made.run()
        made.advance(40)
        made.run()
        assert read(made) == closed
