"""The way back: watermarks in stored state, or in reports, that are further ahead than is allowed."""

import logging

import pytest

from tests.properties.window_samples import (
    MS,
    GatherAgain,
    Shape,
    behind_a_hop,
    by_key,
    by_name,
    finished,
    read,
    source,
    without_hop,
)
from tests.unit.windows.stage import S, Stage, range_windows
from wallaroo.testing import ApplicationDriver
from wallaroo.windows.future import FutureBound
from wallaroo.windows.watermark import NEVER, WatermarkStatus

NOON, MONTH = 1_790_000_000_000, 30 * 86_400_000
TENS = Shape(range=10, slide=10)


def two_hops(windows):
    return finished(source().key_by(by_key).to(windows).key_by(by_name).to(TENS.declared(GatherAgain)))


def send(driver, *times):
    for at in times:
        driver.send("in", f"a:{at}:{NOON + at}", "a", timestamp_ms=NOON + at)
    driver.run()


def a_month_ahead(application):
    """A driver whose machine was a month ahead when it read a record, and was then put right."""
    driver = ApplicationDriver(application, 1, time_of_day_ms=NOON + MONTH)
    send(driver, MONTH)
    set_time_of_day(driver, NOON)
    return driver


def set_time_of_day(driver, milliseconds):
    for group in driver._groups.values():
        group.update_time_of_day(milliseconds)


def values(driver):
    return [value for value, _ in read(driver).get("a", [])]


def watermarks(caplog):
    return [record for record in caplog.records if record.message == "watermark set back"]


each_route = pytest.mark.parametrize("application_of", [without_hop, behind_a_hop, two_hops])


@each_route
def test_honest_records_are_counted_again_after_a_restart(application_of):
    driver = a_month_ahead(application_of(TENS.declared()))
    driver.crash()
    send(driver, 1, 2, 15, 40)
    made = read(driver)["a"]
    assert len(made) == 2
    assert [time for _, time in made] == [NOON + 9, NOON + 19]


@each_route
def test_so_are_they_where_the_partition_was_idle_meanwhile(application_of):
    driver = a_month_ahead(application_of(TENS.declared()))
    driver.advance(15)
    driver.run()
    driver.advance(15)
    driver.run()
    set_time_of_day(driver, NOON)
    driver.crash()
    driver.run()
    driver.advance(1)
    set_time_of_day(driver, NOON)
    send(driver, 1, 2, 15, 40)
    assert [time for _, time in read(driver)["a"]][-2:] == [NOON + 9, NOON + 19]


def test_without_the_way_back_they_would_all_be_late():
    driver = a_month_ahead(behind_a_hop(TENS.declared()))
    send(driver, 1, 2, 15, 40)
    assert values(driver) == []


def test_what_has_fired_is_not_fired_again():
    driver = ApplicationDriver(behind_a_hop(TENS.declared()), 1, time_of_day_ms=NOON + MONTH)
    send(driver, 1, MONTH)
    set_time_of_day(driver, NOON + 12)
    driver.crash()
    send(driver, 2, 15, 40)
    assert values(driver) == [(1,), (15,)]


def test_one_warning_names_the_sub_topology_the_partition_and_both_times(caplog):
    driver = a_month_ahead(without_hop(TENS.declared()))
    driver.crash()
    driver.run()
    [warning] = watermarks(caplog)
    assert (warning.levelno, warning.sub_topology, warning.partition) == (logging.WARNING, "in", "0")
    assert (getattr(warning, "from"), warning.to) == ("2026-10-21T14:13:20.000Z", "2026-09-21T14:13:20.000Z")


def test_what_was_set_back_is_stored_so_that_the_next_start_says_nothing(caplog):
    driver = a_month_ahead(behind_a_hop(TENS.declared()))
    driver.crash()
    driver.run()
    assert {warning.sub_topology for warning in watermarks(caplog)} == {"in", "by-key"}
    caplog.clear()
    driver.crash()
    driver.run()
    assert watermarks(caplog) == []


def test_an_aborted_commit_does_not_bring_it_back():
    driver = a_month_ahead(behind_a_hop(TENS.declared()))
    driver.crash()
    driver.step()
    driver.begin_commit()
    driver.abort()
    send(driver, 1, 2, 15, 40)
    assert values(driver) == [(1, 2), (15,)]


@each_route
def test_a_watermark_within_the_bound_stays_where_it_is(application_of, caplog):
    driver = ApplicationDriver(application_of(TENS.declared()), 1, time_of_day_ms=NOON)
    send(driver, 1_800_000)
    driver.crash()
    send(driver, 1)
    driver.run()
    assert watermarks(caplog) == []
    assert values(driver) == []


def test_an_idle_partition_whose_watermark_follows_the_clock_stays_within(caplog):
    driver = ApplicationDriver(behind_a_hop(TENS.declared()), 1, time_of_day_ms=NOON)
    send(driver, 1_800_000)
    driver.advance(MONTH)
    driver.run()
    driver.crash()
    driver.run()
    assert watermarks(caplog) == []


def test_a_report_from_beyond_the_bound_moves_the_watermark_no_further_than_now():
    stage = Stage(range_windows(10), future=FutureBound(60 * S))
    stage.future.update(12_000)
    stage.watermark(30 * 86_400)
    assert stage.task.timeline.watermark == 12 * S
    assert stage.message(1, 15) == []
    assert stage.watermark(20) == [("1", 19_999)]


def test_a_status_is_set_back_to_the_wall_clock_and_keeps_whether_it_is_idle():
    bound = FutureBound(1_000 * MS)
    bound.update(NOON)
    beyond, within = WatermarkStatus((NOON + 1_001) * MS, True), WatermarkStatus((NOON + 1_000) * MS, False)
    assert bound.set_back(beyond) == WatermarkStatus(NOON * MS, True)
    assert bound.set_back(within) is within
    never = WatermarkStatus(NEVER, False)
    assert bound.set_back(never) is never
