"""A record that has failed is a warning, but at most one a second for each stage."""

import pytest

from wallaroo.clock import ManualClock
from wallaroo.engine.failure_log import FailureLog
from wallaroo.record import FailedRecord


def failed(offset=7, outcome="dead letter", source=""):
    return FailedRecord(outcome, "ValueError: bad", "in", 2, offset, "b'rex'", source)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def log(clock):
    return FailureLog(clock)


def lines(caplog):
    return [(r.levelname, r.stage, r.offset, getattr(r, "more", 0)) for r in caplog.records]


def test_a_failed_record_is_a_warning_with_its_stage_error_place_and_key(log, caplog):
    log.add({"add": (failed(source="in[1]@3"), 1)})
    [line] = caplog.records
    assert (line.levelname, line.getMessage()) == ("WARNING", "dead letter")
    assert (line.stage, line.error, line.key) == ("add", "ValueError: bad", "b'rex'")
    assert (line.topic, line.partition, line.offset, line.source) == ("in", 2, 7, "in[1]@3")


def test_the_others_of_its_commit_are_counted(log, caplog):
    log.add({"add": (failed(), 100)})
    assert lines(caplog) == [("WARNING", "add", 7, 99)]


def test_within_a_second_there_is_one_line_for_each_stage(log, caplog, clock):
    log.add({"add": (failed(1), 1)})
    clock.advance(500)
    log.add({"add": (failed(2), 1), "show": (failed(3), 1)})
    assert lines(caplog) == [("WARNING", "add", 1, 0), ("WARNING", "show", 3, 0)]


def test_what_was_held_back_is_logged_when_the_second_is_over_even_if_nothing_fails_any_more(
    log, caplog, clock
):
    log.add({"add": (failed(1), 1)})
    log.add({"add": (failed(2), 3)})
    log.add({"add": (failed(5), 2)})
    clock.advance(1_000)
    log.flush()
    log.flush()
    assert lines(caplog) == [("WARNING", "add", 1, 0), ("WARNING", "add", 2, 4)]


def test_late_records_that_are_dropped_are_a_warning_once_in_ten_seconds(log, caplog, clock):
    for _ in range(3):
        log.add_late({("sums", "late"): 2, ("sums", "filtered"): 5})
    clock.advance(10_000)
    log.add_late({("sums", "late"): 1})
    assert [(r.levelname, r.getMessage(), r.stage, r.records) for r in caplog.records] == [
        ("WARNING", "late records dropped", "sums", 2),
        ("WARNING", "late records dropped", "sums", 5),
    ]
