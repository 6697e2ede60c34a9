"""A record that takes long is named while it does, by another thread than the one it keeps busy."""

import logging

import pytest

from tests.unit.task.fakes import record
from wallaroo.clock import ManualClock
from wallaroo.engine.slow_records import SlowRecords


class Slices:
    """What a loop's thread is at, as another thread sees it."""

    def __init__(self):
        self.clock = ManualClock(1_000)
        self.watch = SlowRecords(
            "totals", "in", {}, self.clock, lambda _number: self.at, "windows that close"
        )
        self.at = None

    def begin(self, found, number=3):
        self.at = found
        self.watch.work = self.clock.monotonic(), number

    def look_for(self, seconds):
        """What is said after so many seconds of looks, five a second."""
        said = ""
        for _ in range(round(seconds * 5)):
            self.clock.advance(200)
            said = self.watch.look()
        return said


@pytest.fixture
def slices():
    return Slices()


def at(offset, key=b"rex"):
    return record(offset, b"v", key), True


def lines(caplog, text):
    return [each for each in caplog.records if each.message == text]


def test_within_ten_seconds_a_record_is_named_with_its_place_and_in_the_log_with_its_key(slices, caplog):
    caplog.set_level(logging.INFO)
    slices.begin(at(7))
    assert slices.look_for(4.8) == ""
    said = slices.look_for(1.2)
    assert "has been at one record for 6 s: in[3]@7; nothing" in said
    assert "rex" not in said
    assert slices.watch.seconds == pytest.approx(6)
    [line] = lines(caplog, "record takes long")
    assert (line.loop, line.record, line.key) == ("totals", "in[3]@7", "b'rex'")


def test_one_line_a_minute_and_one_at_its_end(slices, caplog):
    caplog.set_level(logging.INFO)
    slices.begin(at(7))
    slices.look_for(64)
    assert len(lines(caplog, "record takes long")) == 1
    slices.look_for(4)
    assert len(lines(caplog, "record takes long")) == 2
    slices.watch.work = None
    assert (slices.look_for(1), slices.watch.seconds) == ("", 0)
    assert [line.seconds for line in lines(caplog, "record is done")] == [pytest.approx(68.2, abs=0.3)]


def test_many_quick_records_of_a_long_slice_are_none(slices):
    slices.begin(at(0))
    for offset in range(1, 30):
        slices.at = at(offset)
        assert slices.look_for(1) == ""


def test_a_record_that_follows_others_in_its_slice_counts_from_where_it_began(slices):
    slices.begin(at(0))
    slices.look_for(4)
    slices.at = at(1)
    assert slices.look_for(4) == ""
    assert slices.look_for(2) != ""


def test_windows_that_the_clock_closes_have_no_record(slices):
    slices.begin(None, number=None)
    assert "for 6 s: windows that close" in slices.look_for(6)


def test_a_record_of_which_it_is_not_certain_says_so(slices):
    slices.begin((record(5, b"v", None), False))
    assert "in[3]@5 or a later one; nothing" in slices.look_for(6)
