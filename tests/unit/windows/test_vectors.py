"""The original's test vectors, as far as the decisions leave them: aligned windows, exact delays, no empties.

Each step is (value, event time, watermark behind it, sums that come of it), in seconds.
"""

import pytest

import wallaroo
from tests.unit.windows.stage import Lists, Stage, Sum, range_windows, step


def play(stage, *steps):
    """Each step's results must be its own."""
    return [step(stage, value, event, watermark) for value, event, watermark in steps]


def test_tumbling_with_a_delay():
    stage = Stage(range_windows(10, delay=10))
    assert play(stage, (2, 96, 101), (3, 97, 102), (4, 98, 103), (5, 99, 104)) == [[]] * 4
    assert play(stage, (1, 105, 106), (2, 106, 107), (3, 107, 108), (4, 108, 109)) == [[]] * 4
    assert play(stage, (10, 110, 111)) == [[14]]
    assert play(stage, (20, 111, 112), (30, 112, 113), (40, 113, 114)) == [[]] * 3
    assert play(stage, (1, 200, 201)) == [[10, 100]]


def test_sliding_with_a_delay():
    stage = Stage(range_windows(10, slide=2, delay=10))
    assert play(stage, (2, 92, 100), (3, 93, 102), (4, 94, 103), (5, 95, 104)) == [[], [], [], [5]]
    assert play(stage, (1, 102, 106), (2, 103, 107), (3, 104, 108), (4, 105, 109)) == [[14], [], [14], []]
    assert play(stage, (10, 108, 112), (20, 109, 113)) == [[14, 14], []]
    assert play(stage, (30, 110, 114), (40, 111, 115)) == [[12], []]
    assert play(stage, (2, 192, 200)) == [[10, 10, 40, 110, 107, 100, 100, 70]]
    assert play(stage, (3, 193, 202), (4, 194, 203), (5, 195, 204), (1, 202, 206)) == [[], [], [5], [14]]


def test_sliding_where_late_messages_are_dropped():
    stage = Stage(range_windows(10, slide=2, delay=10))
    assert play(stage, (1, 92, 100), (2, 93, 102)) == [[], []]
    assert play(stage, (10, 199, 200)) == [[3, 3, 3, 3, 3]]
    assert play(stage, (100, 100, 201)) == [[]]
    assert play(stage, (1, 101, 220)) == [[10, 10, 10, 10, 10]]


def test_the_time_of_an_output_is_the_last_nanosecond_of_its_window():
    stage = Stage(range_windows(10, slide=5, delay=10))
    assert stage.message(1, 111) + stage.watermark(111) == []
    assert stage.message(2, 121) + stage.watermark(121) == []
    assert stage.message(3, 141) == []
    assert stage.watermark(141) == [("1", 114_999), ("1", 119_999), ("2", 124_999), ("2", 129_999)]


def test_the_time_of_an_output_of_tumbling_windows():
    stage = Stage(range_windows(3))
    assert stage.message(1, 111) + stage.message(2, 112) + stage.watermark(112) == []
    assert stage.message(3, 114) + stage.watermark(114) == [("3", 113_999)]


@pytest.mark.parametrize(
    ("policy", "at_once", "fired"),
    [
        ("drop", [], [[1, 3]]),
        ("fire-per-message", [[2]], [[1, 3]]),
        ("place-in-oldest-window", [], [[1, 2, 3]]),
    ],
)
def test_a_late_message_under_each_policy(policy, at_once, fired):
    stage = Stage(range_windows(10, policy=policy, over=Lists))
    assert play(stage, (1, 100, 100), (2, 50, 100), (3, 101, 111)) == [[], at_once, fired]


@pytest.mark.parametrize(
    ("policy", "sums"),
    [("drop", [4]), ("fire-per-message", [2, 4]), ("place-in-oldest-window", [6])],
)
def test_a_late_message_in_a_sum(policy, sums):
    stage = Stage(range_windows(10, policy=policy))
    made = play(stage, (1, 100, 100), (2, 50, 100), (3, 101, 111))
    assert [value for step_made in made for value in step_made] == sums


def test_sliding_windows_combine_what_overlaps():
    stage = Stage(range_windows(9, slide=3))
    for value, second in ((1, 0.5), (2, 4), (4, 10)):
        stage.message(value, second)
    assert stage.watermark(30) == [
        ("1", 2_999),
        ("3", 5_999),
        ("3", 8_999),
        ("6", 11_999),
        ("4", 14_999),
        ("4", 17_999),
    ]


def test_an_idle_stream_closes_everything_and_no_empty_window():
    stage = Stage(range_windows(10, slide=2, delay=1000))
    for value, second in ((1, 10_000), (3, 10_001), (5, 10_002)):
        assert stage.message(value, second) == []
    assert [text for text, _ in stage.watermark(10_002 + 1010, idle=True)] == ["4", "9", "9", "9", "9", "5"]
    assert stage.look(0) == []


def test_count_windows_make_an_output_of_every_so_many_messages():
    stage = Stage(wallaroo.count_windows(4).over(Sum))
    values = (2, 3, 4, 5, 1, 2, 3, 4, 10, 20, 30, 40, 7, 7, 7)
    made = [text for value in values for text, _ in stage.message(value, 1)]
    assert made == ["14", "10", "100"]
    assert stage.watermark(10**6, idle=True) + stage.look(10**6) == []


def test_the_time_of_a_count_windows_output_is_its_last_messages():
    stage = Stage(wallaroo.count_windows(2).over(Sum))
    assert stage.message(1, 50) == []
    assert stage.message(2, 40) == [("3", 40_000)]
