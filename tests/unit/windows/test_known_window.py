"""A window knows itself: what `output` gets of it, for each kind, and who asks for it."""

import pytest

import wallaroo
from tests.properties.window_model import Message
from tests.properties.window_samples import behind_a_hop, read, send
from tests.unit.testing.upgraded import upgraded
from tests.unit.windows.stage import Lists, S, Stage, range_windows
from wallaroo.errors import StoredValueError
from wallaroo.testing import ApplicationDriver
from wallaroo.windows.count import Counted, CountedCodec, Numbered, NumberedCodec

MS = 1_000_000


class Known(Lists):
    def output(self, key, values, window):
        return key, values, tuple(window)


class Optional(Lists):
    """As a test would call it without a window."""

    def output(self, key, values, window=None):
        return window.end


class Unaware(Lists):
    """More parameters than it needs: it ran before there was a window to get."""

    def output(self, key, values, separator=",", *rest):
        return separator


class Static(Lists):
    @staticmethod
    def output(key, values, window):
        return window.start


def test_a_range_window_knows_where_it_begins_and_ends():
    stage = Stage(range_windows(10, 5, over=Known))
    stage.message("x", 7)
    found = stage.watermark(20)
    assert found == [
        (repr(("key", ["x"], (0, 10 * S, True, None))), 9_999),
        (repr(("key", ["x"], (5 * S, 15 * S, True, None))), 14_999),
    ]


def test_a_late_message_that_fires_alone_is_in_its_newest_window():
    stage = Stage(range_windows(10, 5, policy="fire-per-message", over=Known))
    stage.watermark(100)
    assert stage.message("x", 7) == [(repr(("key", ["x"], (5 * S, 15 * S, True, None))), 7_000)]


def test_a_key_is_text_for_the_user_whatever_its_bytes():
    stage = Stage(range_windows(10, over=Known))
    stage.message("x", 0, key=b"\xff\x00a")
    [(text, _)] = stage.watermark(10)
    assert text == repr(("\\xff\x00a", ["x"], (0, 10 * S, True, None)))


@pytest.mark.parametrize(("over", "made"), [(Optional, 10 * S), (Unaware, ","), (Static, 0)])
def test_who_asks_for_the_window_is_seen_by_the_parameters(over, made):
    stage = Stage(range_windows(10, over=over))
    stage.message("x", 0)
    assert stage.watermark(10) == [(repr(made), 9_999)]


@pytest.mark.parametrize("builder", [wallaroo.range_windows(9), wallaroo.count_windows(9)])
@pytest.mark.parametrize(
    "output", [lambda self, key: key, lambda self, key, acc, window, more: key, lambda self: None]
)
def test_an_output_of_other_parameters_is_refused(builder, output):
    other = type("Other", (Lists,), {"output": output})
    match = r"'output' must be def output\(self, key, acc\) or def output\(self, key, acc, window\)"
    with pytest.raises(wallaroo.WallarooParameterError, match=match):
        builder.over(other)


class Numbers(wallaroo.Aggregation):
    """The number of the window, and the sum of what is in it."""

    def initial_accumulator(self):
        return 0

    def update(self, message, total):
        return total + message[1]

    def combine(self, one, other):
        return one + other

    def output(self, key, total, window):
        assert (window.start, window.end, window.final) == (None, None, True)
        return key, (window.number, total)


class WithoutNumbers(Numbers):
    def name(self):
        return "Numbers"

    def output(self, key, total):
        return key, (total,)


def pairs(over):
    return behind_a_hop(wallaroo.count_windows(2).over(over))


def pair_driver(over=Numbers):
    return ApplicationDriver(pairs(over), partitions=1)


def send_each(driver, *values):
    for value in values:
        send(driver, [Message("a", value, 0)])
        driver.run()


def values_of(driver):
    return [value for value, _ in read(driver)["a"]]


def test_count_windows_of_a_key_are_numbered_also_after_a_crash_between_two_of_them():
    driver = pair_driver()
    send_each(driver, 1, 2)
    driver.crash()
    send_each(driver, 3)
    driver.crash()
    send_each(driver, 4, 5, 6)
    assert values_of(driver) == [(0, 3), (1, 7), (2, 11)]


def test_windows_that_are_open_when_numbers_are_asked_for_are_the_first():
    driver = pair_driver(WithoutNumbers)
    send_each(driver, 1, 2, 3)
    new = upgraded(driver, pairs(Numbers), partitions=1)
    send_each(new, 4, 5, 6)
    assert values_of(new) == [(3,), (0, 7), (1, 11)]


def test_who_no_longer_asks_for_numbers_goes_on_without():
    driver = pair_driver(Numbers)
    send_each(driver, 1, 2, 3)
    new = upgraded(driver, pairs(WithoutNumbers), partitions=1)
    send_each(new, 4, 5, 6)
    assert values_of(new) == [(0, 3), (7,), (11,)]


PLAIN, NUMBERED = CountedCodec(bytes, bytes), NumberedCodec(bytes, bytes)


@pytest.mark.parametrize("made", [Numbered(0, None, 3), Numbered(2, b"ab", 0), Numbered(1, b"", 2**40)])
def test_a_numbered_window_comes_back(made):
    back = NUMBERED.decode(NUMBERED.encode(made))
    assert (back.count, back.accumulator, back.number) == (made.count, made.accumulator, made.number)


def test_each_reads_what_the_other_has_written():
    old, new = Counted(2, b"ab"), Numbered(2, b"ab", 7)
    back, numbered = PLAIN.decode(NUMBERED.encode(new)), NUMBERED.decode(PLAIN.encode(old))
    assert (back.count, back.accumulator) == (2, b"ab")
    assert (numbered.count, numbered.accumulator, numbered.number) == (2, b"ab", 0)


@pytest.mark.parametrize("codec", [PLAIN, NUMBERED])
@pytest.mark.parametrize("data", [b"2N", b"2N" + bytes(15), b"2N" + bytes(16) + b"x", b"3N" + bytes(16)])
def test_what_is_no_count_window_is_not_read(codec, data):
    with pytest.raises(StoredValueError):
        codec.decode(data)
