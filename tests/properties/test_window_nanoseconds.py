"""Event times and windows of single nanoseconds, near the epoch and today: a hop rounds nothing off."""

from dataclasses import replace
from itertools import count
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from tests.properties.streams import paces, scripts_without_sending
from tests.properties.window_model import Message, source
from tests.properties.window_samples import (
    MS,
    GatherAgain,
    by_key,
    by_name,
    close_all,
    decode,
    expected,
    finished,
    messages,
    read,
    timed,
)
from tests.samples import look
from wallaroo.testing import ApplicationDriver

EPOCHS = (0, 999_990, 1_700_000_000_000_000_000)


def nanoseconds(epoch, sent):
    return [message._replace(time=epoch + message.time // MS) for message in sent]


fine_shapes = timed().map(lambda shape: replace(shape, unit=1))
fine_messages = st.builds(nanoseconds, st.sampled_from(EPOCHS), messages())


def run_all(pipeline, sent, script, pace, single=()):
    config = wallaroo.KafkaSourceConfig("in", decoder=decode, event_time=itemgetter(2))
    application = finished(pipeline(wallaroo.source("in", config)))
    driver = ApplicationDriver(application, dict.fromkeys(["in", *single], 1), pace=pace)
    for message in sent:
        driver.send("in", f"{message.key}:{message.value}:{message.time}", message.key)
    for name, steps in script:
        getattr(driver, name)() if steps is None else driver.step(steps)
    driver.run()
    return close_all(driver)


@given(fine_messages, fine_shapes, scripts_without_sending, paces())
def test_behind_a_hop(sent, shape, script, pace):
    driver = run_all(lambda made: made.key_by(by_key).to(shape.declared()), sent, script, pace)
    assert read(driver) == expected(source(sent), shape)


@given(fine_messages, fine_shapes, scripts_without_sending, paces())
def test_behind_two_hops_with_a_stage_between_them(sent, shape, script, pace):
    def pipeline(made):
        return made.key_by(by_name).to(look).key_by(by_key).to(shape.declared())

    # What is late is certain only behind one task: the least of several watermarks may wait for it.
    driver = run_all(pipeline, sent, script, pace, ["app-by-name-repartition"])
    assert read(driver) == expected(source(sent), shape)


@given(fine_messages, fine_shapes, fine_shapes, scripts_without_sending, paces())
def test_windows_over_windows_behind_a_hop_of_their_own(sent, first, second, script, pace):
    def pipeline(made):
        windows = made.collect().to(first.declared())
        return windows.collect().to(second.declared(GatherAgain))

    whole = [message._replace(key="all") for message in sent]
    driver = run_all(pipeline, sent, script, pace, ["app-collect-repartition"])
    made = list(read(driver).values())
    assert made == list(expected(source(whole), first, second).values())


@pytest.mark.parametrize("epoch", EPOCHS)
def test_an_event_on_the_last_nanosecond_of_a_window_is_in_it(epoch):
    windows = wallaroo.range_windows(wallaroo.nanoseconds(10))
    times = (0, 9, 10, 19, 20)
    sent = [Message("a", n, epoch // 10 * 10 + at) for n, at in zip(count(), times)]
    driver = run_all(lambda made: made.key_by(by_key).to(windows.over(GatherAgain)), sent, (), None)
    assert [value for value, _ in read(driver)["a"]] == [(0, 1), (2, 3), (4,)]
