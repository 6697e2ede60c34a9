"""States with a time to live whose functions take a context, and may delete them."""

import pytest

import wallaroo
from tests.properties.window_samples import Gap, Gather, behind_a_hop, read, without_hop
from tests.unit.testing.test_ttl_upgrades import Seen, seen, send, stored
from wallaroo.state.aged import Aged, AgedCodec
from wallaroo.state.memory import MemoryStore
from wallaroo.testing import ApplicationDriver, context
from wallaroo.windows.expiry import Expiry
from wallaroo.windows.timers import NOTHING_DUE, Timers

applications = pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])


def said(state, context):
    return [state.values, context.key, context.event_time, context.watermark, context.offset]


@wallaroo.state_computation(name="seen", state=Seen, ttl=wallaroo.milliseconds(100))
def see(message, state, context):
    """Deletes the state of a key in upper case."""
    state.values += 1
    if message[0].isupper():
        context.delete()
    return message[0], said(state, context)


@wallaroo.state_computation_multi(name="seen", state=Seen, ttl=wallaroo.milliseconds(100))
def see_multi(message, state, context):
    state.values += 1
    return [(message[0], said(state, context))]


@pytest.mark.parametrize("stage", [see, see_multi])
def test_a_context_says_the_same_with_a_ttl(stage):
    driver = ApplicationDriver(without_hop(stage), partitions=1)
    send(driver, ("a", 0), ("a", 100), ("a", 201))
    assert [value for value, _ in read(driver)["a"]] == [
        (1, "a", 0, None, 0),
        (2, "a", 100_000_000, 0, 1),
        (1, "a", 201_000_000, 100_000_000, 2),
    ]


@applications
def test_a_deleted_state_is_gone_before_its_time(application_of):
    driver = ApplicationDriver(application_of(see), partitions=1)
    send(driver, ("A", 0), ("b", 10))
    assert (seen(driver, "A"), seen(driver, "b")) == (None, 1)
    assert stored(driver).get("A") is None


@applications
def test_a_key_that_was_deleted_begins_with_the_time_of_its_next_record(application_of):
    @wallaroo.state_computation(name="seen", state=Seen, ttl=wallaroo.milliseconds(1_000))
    def delete_first(message, state, context):
        state.values += 1
        if context.event_time == 500_000_000:
            context.delete()
        return message[0], [state.values]

    driver = ApplicationDriver(application_of(delete_first), partitions=1)
    # 1,450 is more than the ttl after 440, and not after 500.
    send(driver, ("a", 500), ("a", 440), ("a", 1_450))
    assert [value for value, _ in read(driver)["a"]] == [(1,), (1,), (1,)]
    driver.crash()
    send(driver, ("a", 1_460))
    assert seen(driver, "a") == 2


@applications
def test_a_function_with_a_context_is_tested_as_one_without_a_ttl(application_of):
    assert see.compute(("a", 0, 0), Seen(), context(key="a", event_time=7)) == ("a", [1, "a", 7, None, None])
    driver = ApplicationDriver(application_of(see), partitions=1)
    send(driver, ("a", 0))
    assert seen(driver, "a") == 1


def test_a_stage_with_a_ttl_and_a_context_stands_behind_sessions():
    @wallaroo.state_computation(name="seen", state=Seen, ttl=wallaroo.milliseconds(30))
    def count(made, state, context):
        state.values += 1
        return made[0], [state.values, context.event_time, context.final]

    driver = ApplicationDriver(behind_a_hop(Gap(5).declared(Gather), count), partitions=1)
    send(driver, ("a", 0), ("a", 3), ("a", 20), ("a", 100), ("a", 200))
    assert [value for value, _ in read(driver)["a"]] == [
        (1, 8_000_000, True),
        (2, 25_000_000, True),
        (1, 105_000_000, True),
    ]


def test_a_key_that_is_deleted_again_and_again_has_one_entry():
    store = MemoryStore("seen", Aged, AgedCodec(None))
    level = Timers(store, NOTHING_DUE, 0)
    expiry = Expiry(store, 100, level, 0)
    for time in range(50):
        expiry.add(b"a", time)
        expiry.keep_entry(b"a")
    level.watermark = 1_000
    assert expiry.next_due == 111
    expiry.remove_due(1)
    assert expiry.next_due is None
    expiry.add(b"a", 1_000)
    assert expiry.next_due == 1_111
