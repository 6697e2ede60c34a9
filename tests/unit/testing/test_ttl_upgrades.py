"""A new version of an application switches the ttl of a stage on, changes it, or switches it off.

These are the rows about it of the table in docs/tutorial/upgrading.md.
"""

import pytest

import wallaroo
from tests.properties.window_samples import behind_a_hop, without_hop
from tests.unit.testing.upgraded import upgraded
from wallaroo.testing import ApplicationDriver

TAG = b"1L"


class Seen:
    values = 0


def application(ttl, application_of=without_hop):
    options = {} if ttl is None else {"ttl": wallaroo.milliseconds(ttl)}

    @wallaroo.state_computation(name="seen", state=Seen, **options)
    def see(message, seen):
        seen.values += 1
        return message[0], (seen.values,)

    return application_of(see)


def send(driver, *sent):
    for key, time in sent:
        driver.send("in", f"{key}:0:{time}", key, timestamp_ms=time, partition=0)
    driver.run()


def old(ttl, application_of=without_hop):
    driver = ApplicationDriver(application(ttl, application_of), partitions=1)
    send(driver, ("a", 100), ("b", 150))
    return driver


def seen(driver, key):
    state = driver.state("seen", key)
    return None if state is None else state.values


def stored(driver):
    records = {record.key: record.value for record in driver.records("app-seen-changelog")}
    return {key.decode(): value for key, value in records.items() if len(key) == 1}


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
def test_a_ttl_that_is_switched_on_keeps_what_is_stored_and_counts_its_age_from_then(application_of):
    new = upgraded(old(None, application_of), application(50, application_of), partitions=1)
    send(new, ("c", 1_000))
    assert {key: value[:2] for key, value in stored(new).items()} == dict.fromkeys("abc", TAG)
    send(new, ("a", 1_050))
    assert seen(new, "a") == 2
    send(new, ("c", 1_056))
    assert seen(new, "b") is None
    send(new, ("a", 1_101))
    assert seen(new, "a") == 1


def test_the_first_record_of_a_key_finds_what_was_stored_without_an_age():
    new = upgraded(old(None), application(50), partitions=1)
    send(new, ("a", 100_000))
    assert seen(new, "a") == 2


def test_a_crash_does_not_make_what_was_stored_without_an_age_younger():
    new = upgraded(old(None), application(50), partitions=1)
    send(new, ("c", 1_000))
    send(new, ("c", 1_040))
    new.crash()
    send(new, ("c", 1_060))
    assert (seen(new, "a"), seen(new, "b"), seen(new, "c")) == (None, None, 3)


@pytest.mark.parametrize(("ttl", "found"), [(500, 2), (20, 1)])
def test_a_ttl_that_is_changed_holds_for_what_is_stored(ttl, found):
    new = upgraded(old(100), application(ttl), partitions=1)
    send(new, ("b", 200))
    assert seen(new, "b") == found
    assert seen(new, "a") == (1 if ttl == 500 else None)


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
def test_a_ttl_that_is_switched_off_keeps_what_is_stored_for_ever(application_of):
    new = upgraded(old(50, application_of), application(None, application_of), partitions=1)
    send(new, ("a", 100_000))
    assert (seen(new, "a"), seen(new, "b")) == (2, 1)
    assert {key: value[:2] for key, value in stored(new).items()} == {"a": b"1J", "b": TAG}


def test_a_ttl_that_was_off_for_a_while_counts_from_what_is_known():
    between = upgraded(old(50), application(None), partitions=1)
    send(between, ("a", 100_000))
    new = upgraded(between, application(50), partitions=1)
    send(new, ("c", 100_010))
    assert (seen(new, "a"), seen(new, "b")) == (2, None)
