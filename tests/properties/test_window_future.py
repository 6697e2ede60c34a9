"""Bad clocks against the model: with them, windows are what they are without the records beyond the bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.streams import paces, scripts
from tests.properties.test_windows import expected_of_partitions
from tests.properties.window_model import END, Message, Watermark, results, source
from tests.properties.window_samples import (
    KEYS,
    MS,
    GatherAgain,
    behind_a_hop,
    close_all,
    expected,
    in_milliseconds,
    read,
    run_through,
    send,
    timed,
    without_hop,
)
from wallaroo.testing import ApplicationDriver

NOW, BOUND = 1_790_000_000_000, 1_000
ahead = st.sampled_from((BOUND + 1, BOUND + 10, 3_600_000, 86_400_000, 30 * 86_400_000, 2_000_000_000_000))
# Around now, a little ahead of it, and far ahead.
times = st.integers(-40, 10) | st.just(BOUND) | ahead
bad_clocks = st.lists(st.tuples(st.sampled_from(KEYS), times), max_size=30).map(
    lambda made: [Message(key, n, (NOW + at) * MS) for n, (key, at) in enumerate(made)]
)


def within(sent):
    return [message for message in sent if message.time <= (NOW + BOUND) * MS]


def refused(sent):
    return sorted(f"{m.key}:{m.value}:{m.time // MS}".encode() for m in sent if m not in within(sent))


def run(application, sent, script, pace, partitions=4):
    options = {"max_future_ms": BOUND, "time_of_day_ms": NOW}
    return close_all(run_through(application, sent, script, pace, partitions, **options))


@given(bad_clocks, timed(), scripts(), paces(), st.booleans())
def test_windows_of_each_partition(sent, shape, script, pace, declared):
    driver = run(without_hop(shape.declared(), declared_time=declared), sent, script, pace)
    assert read(driver) == expected_of_partitions(within(sent), 4, shape)
    assert sorted(letter.value for letter in driver.dead_letters()) == refused(sent)


@given(bad_clocks, timed(), timed(), scripts(), paces(), st.booleans())
def test_windows_over_windows_behind_a_hop(sent, first, second, script, pace, declared):
    application = behind_a_hop(first.declared(), second.declared(GatherAgain), declared_time=declared)
    driver = run(application, sent, script, pace, {"in": 1})
    assert read(driver) == expected(source(within(sent)), first, second)
    assert sorted(letter.value for letter in driver.dead_letters()) == refused(sent)


MONTH = 30 * 86_400_000
around_now = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(-20, 40)), max_size=20).map(
    lambda made: [Message(key, n, (NOW + at) * MS) for n, (key, at) in enumerate(made)]
)


def from_now_on(sent):
    """One partition whose watermark has been set back to now."""
    latest = NOW * MS
    yield Watermark(latest)
    for message in sent:
        yield message
        latest = max(latest, message.time)
        yield Watermark(latest)
    yield END


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
@given(around_now, timed(), paces())
def test_after_a_watermark_was_set_back_windows_are_those_from_now_on(application_of, sent, shape, pace):
    options = {"max_future_ms": BOUND, "time_of_day_ms": NOW, "pace": pace}
    driver = ApplicationDriver(application_of(shape.declared()), {"in": 1}, **options)
    driver.advance(MONTH)
    send(driver, [Message("the bad clock", 0, (NOW + MONTH) * MS)])
    driver.run()
    driver.advance(-MONTH)
    driver.crash()
    send(driver, sent)
    driver.run()
    # What the bad clock sent stays in its window, a month ahead.
    driver.advance(10_000)
    driver.run()
    made = read(driver)
    made.pop("the bad clock", None)
    assert made == in_milliseconds(results(shape.modelled()(from_now_on(sent))))
