"""Windows with an offset: where they begin, days of a zone, and what a changed offset does to a store."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

import wallaroo
from tests.properties.window_samples import MS, Gather, Shape, behind_a_hop, close_all, read, without_hop
from wallaroo.errors import StoredValueError
from wallaroo.testing import ApplicationDriver

TOKYO = timezone(timedelta(hours=9))


def ms(*date, zone=UTC):
    return int(datetime(*date, tzinfo=zone).timestamp() * 1000)


def driver_over(windows, *times):
    driver = ApplicationDriver(behind_a_hop(windows), {"in": 1})
    for number, at in enumerate(times):
        driver.send("in", f"a:{number}:{at}", "a", timestamp_ms=at)
    driver.run()
    return driver


def days(offset=None):
    builder = wallaroo.range_windows(wallaroo.days(1))
    return (builder if offset is None else builder.with_offset(offset)).over(Gather)


def test_days_are_those_of_utc():
    driver = driver_over(days(), ms(2026, 3, 1, 23, 59), ms(2026, 3, 2), ms(2026, 3, 3))
    assert read(driver)["a"] == [((0,), ms(2026, 3, 2) - 1), ((1,), ms(2026, 3, 3) - 1)]


def test_an_offset_gives_the_days_of_a_zone():
    midnight = ms(2026, 3, 2, zone=TOKYO)
    driver = driver_over(days(-wallaroo.hours(9)), midnight - 1, midnight, midnight + 86_400_000)
    assert read(driver)["a"] == [((0,), midnight - 1), ((1,), midnight + 86_400_000 - 1)]


def test_an_offset_and_the_same_one_a_slide_later_are_the_same_windows():
    negative = driver_over(days(-wallaroo.hours(9)), ms(2026, 3, 2))
    positive = driver_over(days(wallaroo.hours(15)), ms(2026, 3, 2))
    assert negative.state("Gather", "a") == positive.state("Gather", "a") == {ms(2026, 3, 1, 15) * MS: [0]}


def test_sliding_windows_are_shifted_too():
    driver = driver_over(Shape(range=10, slide=5, offset=2).declared(), 8)
    assert driver.state("Gather", "a") == {2 * MS: [0], 7 * MS: [0]}


def test_a_window_may_begin_before_the_epoch():
    driver = driver_over(Shape(range=10, slide=10, offset=-3).declared(), 0, 6, 7)
    assert read(driver)["a"] == [((0, 1), 6)]


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (2, 3)])
def test_stored_windows_of_another_offset_are_refused(application_of, before, after):
    driver = ApplicationDriver(application_of(Shape(10, 5, offset=before).declared()), 1)
    driver.send("in", "a:0:8", "a", timestamp_ms=8)
    driver.run()
    other = ApplicationDriver(application_of(Shape(10, 5, offset=after).declared()), 1)
    for name, group in other._groups.items():
        other._groups[name] = restored(group, driver)
    with pytest.raises(StoredValueError, match="or another offset"):
        other.state("Gather", "a")


def restored(group, driver):
    """A group over the logs of another driver."""
    group._logs = driver._logs
    return group


def test_what_is_described_names_the_offset():
    assert days(wallaroo.hours(-9)).kind == "windows of 24 h, offset -9 h, late: drop"
    assert days().kind == "windows of 24 h, late: drop"


def test_late_windows_fire_when_the_stream_ends_as_others_do():
    driver = close_all(driver_over(Shape(range=10, slide=10, offset=4).declared(), 1, 5))
    assert read(driver)["a"] == [((0,), 3), ((1,), 13)]
