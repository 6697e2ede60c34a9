"""States with a time to live in a driver: many keys at once, windows beside them, the wall clock."""

import pytest

import wallaroo
from tests.properties.window_model import Message
from tests.properties.window_samples import (
    Gap,
    Gather,
    Shape,
    behind_a_hop,
    close_all,
    read,
    send,
    without_hop,
)
from tests.unit.testing.test_ttl_upgrades import Seen, seen, stored
from tests.unit.testing.test_ttl_upgrades import send as send_keys
from wallaroo.testing import ApplicationDriver


def passing(ttl):
    """Messages as they are, counted."""

    @wallaroo.state_computation(name="seen", state=Seen, ttl=wallaroo.milliseconds(ttl))
    def see(message, state):
        state.values += 1
        return message

    return see


def counting(ttl):
    @wallaroo.state_computation(name="seen", state=Seen, ttl=wallaroo.milliseconds(ttl))
    def see(message, state):
        state.values += 1
        return message[0], (state.values,)

    return see


def test_a_commit_removes_a_bounded_number_of_keys_and_the_next_goes_on():
    driver = ApplicationDriver(without_hop(counting(100)), partitions=1)
    for number in range(25_000):
        driver.send("in", f"{number}:0:0", str(number), timestamp_ms=0, partition=0)
    driver.run()
    driver.send("in", "x:0:1000", "x", timestamp_ms=1_000, partition=0)
    driver.step()
    driver.commit()
    left = [removed(driver)]
    driver.commit()
    left.append(removed(driver))
    driver.run()
    left.append(removed(driver))
    assert left == [10_000, 20_000, 25_000]


def removed(driver):
    return sum(record.value is None for record in driver.records("app-seen-changelog"))


def test_an_aborted_removal_is_done_again():
    driver = ApplicationDriver(without_hop(counting(100)), partitions=1)
    send_keys(driver, ("a", 0), ("b", 50))
    driver.send("in", "c:0:1000", "c", timestamp_ms=1_000, partition=0)
    driver.step()
    driver.begin_commit()
    driver.abort()
    assert (seen(driver, "a"), seen(driver, "b")) == (1, 1)
    driver.run()
    assert (seen(driver, "a"), seen(driver, "b")) == (None, None)


def test_a_record_that_comes_while_its_key_is_being_removed_finds_a_fresh_state():
    driver = ApplicationDriver(without_hop(counting(100)), partitions=1)
    send_keys(driver, ("a", 0))
    driver.send("in", "c:0:1000", "c", timestamp_ms=1_000, partition=0)
    driver.step()
    driver.begin_commit()
    driver.send("in", "a:0:1001", "a", timestamp_ms=1_001, partition=0)
    driver.step()
    driver.commit()
    driver.run()
    driver.crash()
    assert seen(driver, "a") == 1
    assert stored(driver)["a"] is not None


@pytest.mark.parametrize("spans", [Shape(20, 10, 5), Gap(10, 5)])
def test_windows_before_and_behind_a_stage_with_a_ttl_are_as_without_it(spans):
    sent = [Message(key, n, n * 7_000_000) for n, key in enumerate("abbabaabab" * 3)]
    windows = spans.declared(Gather)
    for application_of in (without_hop, behind_a_hop):
        plain, before, behind = (
            ApplicationDriver(application_of(*stages), partitions=1)
            for stages in ([windows], [passing(1_000), windows], [windows, passing(1_000)])
        )
        for driver in (plain, before, behind):
            send(driver, sent)
            driver.run()
            close_all(driver)
        assert read(before) == read(behind) == read(plain)


@pytest.mark.parametrize("spans", [Shape(10, 10), Gap(9)])
def test_what_windows_emit_finds_the_state_by_the_time_of_their_end(spans):
    driver = ApplicationDriver(behind_a_hop(spans.declared(Gather), counting(15)), partitions=1)
    for time in (0, 10, 40, 100):
        driver.send("in", f"a:0:{time}", "a", timestamp_ms=time, partition=0)
    driver.run()
    assert [value for value, _ in read(driver)["a"]] == [(1,), (2,), (1,)]


def test_the_clock_removes_the_keys_of_a_quiet_partition():
    driver = ApplicationDriver(behind_a_hop(counting(1_000)), partitions=2)
    send_keys(driver, ("a", 0))
    driver.advance(900)
    driver.run()
    assert seen(driver, "a") == 1
    driver.advance(500)
    driver.run()
    assert seen(driver, "a") is None


def test_a_time_too_far_ahead_ends_no_states():
    driver = ApplicationDriver(without_hop(counting(1_000)), partitions=1, time_of_day_ms=1_000_000)
    send_keys(driver, ("a", 1_000_000), ("b", 100_000_000), ("a", 1_000_500))
    assert seen(driver, "a") == 2
    assert len(driver.dead_letters()) == 1
