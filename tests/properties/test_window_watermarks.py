"""Windows over several partitions: each is in order, so nothing is late, however far they are apart."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from tests.properties import window_samples as samples
from tests.properties.streams import paces, scripts_without_sending
from tests.properties.window_model import Message
from tests.properties.window_samples import (
    ERAS,
    MS,
    behind_a_hop,
    by_key,
    close_all,
    expected,
    finished,
    messages,
    read,
    send,
    shapes,
    source,
    timed,
)
from wallaroo.testing import ApplicationDriver

DAY = 24 * 3600 * 1000

in_order = messages().map(lambda sent: sorted(sent, key=lambda message: message.time))
counts = st.fixed_dictionaries({"in": st.integers(1, 4), "app-by-key-repartition": st.integers(1, 4)})


def scattered(partitions):
    """Any partition, whatever the key."""
    return lambda message: message.value * 7 % partitions


def run_all(application, sent, script, pace, partitions):
    driver = ApplicationDriver(application, partitions, pace=pace)
    send(driver, sent, scattered(partitions["in"]))
    return close_all(run_through_script(driver, script))


def run_through_script(driver, script):
    for name, count in script:
        getattr(driver, name)() if count is None else driver.step(count)
    driver.run()
    return driver


@given(in_order, timed(), scripts_without_sending, paces(), counts)
def test_partitions_in_order_are_never_late(sent, shape, script, pace, partitions):
    driver = run_all(behind_a_hop(shape.declared()), sent, script, pace, partitions)
    assert read(driver) == expected(sent, shape)


@given(messages(latest=12), timed(least_delay=12), scripts_without_sending, paces(), counts)
def test_what_is_out_of_order_by_no_more_than_the_delay_is_never_late(sent, shape, script, pace, partitions):
    driver = run_all(behind_a_hop(shape.declared()), sent, script, pace, partitions)
    assert read(driver) == expected(sent, shape)


@given(in_order, timed(), st.integers(-3, 3), scripts_without_sending, paces(), counts)
def test_a_partition_that_is_days_behind_is_waited_for(sent, shape, days, script, pace, partitions):
    partition_of = scattered(partitions["in"])
    skewed = [m._replace(time=(m.time // MS + (4 + days * partition_of(m)) * DAY) * MS) for m in sent]
    skewed = [m for m in skewed if m.time >= 0]
    driver = run_all(behind_a_hop(shape.declared()), skewed, script, pace, partitions)
    assert read(driver) == expected(skewed, shape)


@given(in_order, timed(), timed(), scripts_without_sending, paces(), counts)
def test_windows_over_windows_behind_a_second_hop(sent, first, second, script, pace, partitions):
    pipeline = source().key_by(by_key).to(first.declared())
    pipeline = pipeline.key_by(by_initial).to(second.declared(samples.GatherAgain))
    driver = run_all(finished(pipeline), sent, script, pace, partitions)
    inner = [
        Message(key, value, time * MS)
        for key, found in expected(sent, first).items()
        for value, time in found
    ]
    assert read(driver) == expected(inner, second)


@given(in_order, in_order, timed(), scripts_without_sending, paces())
def test_two_sources_that_are_merged_wait_for_each_other(left, right, shape, script, pace):
    right = [m._replace(value=m.value + 1000, time=m.time + 7 * MS) for m in right]
    both = source("in").merge(source("other")).key_by(by_key).to(shape.declared())
    driver = ApplicationDriver(finished(both), {"in": 2, "other": 3}, pace=pace)
    send(driver, left, scattered(2))
    send(driver, right, scattered(3), topic="other")
    close_all(run_through_script(driver, script))
    assert read(driver) == expected([*left, *right], shape)


@given(messages(eras=ERAS), shapes(policies=["drop"]), scripts_without_sending, paces(), counts)
def test_what_is_in_time_in_its_own_partition_is_in_time(sent, shape, script, pace, partitions):
    driver = run_all(behind_a_hop(shape.declared()), sent, script, pace, partitions)
    made = {(key, time): values for key, found in read(driver).items() for values, time in found}
    assert sum(map(len, read(driver).values())) == len(made)
    owed, allowed = Counter(), Counter()
    furthest = {}
    for message in sent:
        partition = scattered(partitions["in"])(message)
        owed.update(windows_of(message, shape, furthest.get(partition, -1)))
        allowed.update(windows_of(message, shape, -1))
        furthest[partition] = max(message.time, furthest.get(partition, -1))
    found = Counter((key, time, value) for (key, time), values in made.items() for value in values)
    assert owed <= found <= allowed


@pytest.mark.parametrize("behind", [0, 1])
def test_a_replay_of_two_partitions_a_day_apart_gives_the_windows_of_the_live_days(behind):
    shape = samples.Shape(range=3_600_000, slide=900_000)
    hours = [Message("a", hour, hour * 3_600_000 * MS) for hour in range(48)]
    live = ApplicationDriver(behind_a_hop(shape.declared()), {"in": 2})
    for message in hours:
        send(live, [message], lambda m: int(m.value >= 24))
        live.run()
    replay = ApplicationDriver(behind_a_hop(shape.declared()), {"in": 2})
    # One partition holds yesterday, the other today.
    send(replay, hours, lambda m: int(m.value >= 24) ^ behind)
    replay.run()
    assert read(close_all(replay, 2 * 3_600_000)) == read(close_all(live, 2 * 3_600_000))
    assert [value for value, _ in read(replay)["a"]] == [value for value, _ in expected(hours, shape)["a"]]


def windows_of(message, shape, watermark):
    """The windows of a message that are not past due, as (key, time of the result, value)."""
    model = shape.modelled()
    model.watermark = watermark
    covering = [k for k in model.near(message.time) if model.covers(k, message.time)]
    return [(message.key, (model.end(k) - 1) // MS, message.value) for k in covering if not model.past_due(k)]


@wallaroo.key_extractor
def by_initial(made):
    return made[0]
