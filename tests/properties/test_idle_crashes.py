"""What only the clock has moved survives a crash like what a record has moved."""

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.streams import paces
from tests.properties.window_samples import (
    KEYS,
    GatherAgain,
    behind_a_hop,
    by_key,
    by_name,
    finished,
    read,
    source,
    timed,
    without_hop,
)
from wallaroo.testing import ApplicationDriver

# In the middle of the wait, at its end, or long after it; and what is written then: (key, milliseconds back).
pauses = st.sampled_from((1, 3, 9, 24, 500, 86_400_000))
deeds = (("crash",), ("begin_commit",), ("abort",), ("commit",), ("step", 1), ("run",))
troubles = st.lists(st.sampled_from(deeds), max_size=4)


def days(back=(0,)):
    """Behind a hop, what is late depends on which of two partitions is read first, so there nothing is."""
    written = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(back)), max_size=3)
    return st.lists(st.tuples(written, pauses, troubles), min_size=1, max_size=8)


def live_through(application, day, pace, troubled):
    """What has been written after each pause, whether there was trouble or not."""
    driver = ApplicationDriver(application, {"in": 3}, pace=pace)
    now, found = 1_000_000, []
    for messages, pause, troubles in day:
        for number, (key, back) in enumerate(messages):
            time = now - back
            value = f"{key}:{number}:{time}"
            driver.send("in", value, key, timestamp_ms=time, partition=KEYS.index(key))
        driver.run()
        driver.advance(pause)
        now += pause
        for name, *arguments in troubles if troubled else ():
            getattr(driver, name)(*arguments)
        driver.run()
        found.append(read(driver))
    return found


def check(application, day, pace):
    assert live_through(application, day, pace, True) == live_through(application, day, pace, False)


@given(days(back=(0, 0, 1, 5, 40)), timed(), paces())
def test_without_a_hop(day, shape, pace):
    check(without_hop(shape.declared()), day, pace)


@given(days(), timed(), paces())
def test_behind_a_hop(day, shape, pace):
    check(behind_a_hop(shape.declared()), day, pace)


@given(days(), timed(), timed(), paces())
def test_behind_two_hops(day, first, second, pace):
    pipeline = source().key_by(by_key).to(first.declared()).key_by(by_name)
    check(finished(pipeline.to(second.declared(GatherAgain))), day, pace)
