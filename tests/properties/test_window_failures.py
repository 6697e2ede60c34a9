"""User code of windows that raises: what failed is a dead letter, and nothing else has changed."""

import pytest
from hypothesis import example, given

import wallaroo
from tests.properties.streams import paces, scripts
from tests.properties.window_model import END, Message, results, source
from tests.properties.window_samples import (
    MS,
    Gather,
    GatherAgain,
    Shape,
    behind_a_hop,
    by_key,
    close_all,
    decode,
    finished,
    in_milliseconds,
    messages,
    open_keys,
    read,
    run_through,
    timed,
    without_hop,
)
from wallaroo.testing import Pace

# Every so many messages, and windows, there is one that fails.
BAD = 5


class FailingUpdate(Gather):
    """Half-way through: the accumulator has been changed when it fails."""

    def update(self, message, values):
        super().update(message, values)
        if message[1] % BAD == 0:
            raise ValueError(message)


class FailingOutput(Gather):
    def output(self, key, values):
        if sum(values) % BAD == 0:
            raise ValueError(key)
        return super().output(key, values)


class Unstorable(Gather):
    def update(self, message, values):
        values.append(message[1] if message[1] % BAD else lambda: message)


class ForTheSink(Gather):
    """The encoder fails on what it makes."""

    def output(self, key, values):
        return (key, lambda: 0) if sum(values) % BAD == 0 else super().output(key, values)


def is_bad(item):
    return isinstance(item, Message) and item.value % BAD == 0


def without_bad_windows(made):
    left = {key: [(v, at) for v, at in found if sum(v) % BAD] for key, found in made.items()}
    return {key: found for key, found in left.items() if found}


def bad_windows(made):
    return sorted((key, shown(at)) for key, found in made.items() for v, at in found if sum(v) % BAD == 0)


def shown(at):
    """The time of a dead letter: to the client a timestamp of 0 would be none, so behind a hop it is 1."""
    return max(at, 1)


def expected(items, shape):
    return in_milliseconds(results(shape.modelled()(iter([*items, END]))))


def changelog(aggregation):
    return [f"app-{aggregation.__name__.lower()}-changelog"]


@pytest.mark.parametrize("aggregation", [FailingUpdate, Unstorable])
@given(messages(), timed(), scripts(), paces())
def test_a_message_on_which_update_raises_has_never_come(aggregation, sent, shape, script, pace):
    application = without_hop(shape.declared(aggregation))
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    assert read(driver) == expected(source(m for m in sent if not is_bad(m)), shape)
    assert {letter.stage for letter in driver.dead_letters()} <= {aggregation.__name__, "encode"}
    assert open_keys(driver, changelog(aggregation)) == set()


@pytest.mark.parametrize("aggregation", [FailingUpdate, Unstorable])
@given(messages(), timed(), scripts(), paces())
def test_behind_a_hop_its_time_has_come_all_the_same(aggregation, sent, shape, script, pace):
    application = behind_a_hop(shape.declared(aggregation))
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    assert read(driver) == expected((item for item in source(sent) if not is_bad(item)), shape)
    assert open_keys(driver, changelog(aggregation)) == set()


@pytest.mark.parametrize("aggregation", [FailingOutput, ForTheSink])
@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
@example(
    [Message("a", n, at * MS) for n, at in enumerate([0, 0, 0, 0, 1, 0])],
    Shape(1, 1, 0, wallaroo.LateDataPolicy.FIRE_PER_MESSAGE),
    [],
    Pace(1, None, lambda turns: turns[0]),
)
@given(messages(), timed(), scripts(), paces())
def test_a_window_that_raises_is_closed_and_no_message_suffers(
    application_of, aggregation, sent, shape, script, pace
):
    application = application_of(shape.declared(aggregation))
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    made = expected(source(sent), shape)
    assert read(driver) == without_bad_windows(made)
    assert letters(driver) == bad_windows(made)
    assert open_keys(driver, changelog(aggregation)) == set()


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
@given(messages(), timed(), timed(), scripts(), paces())
def test_windows_over_windows_of_which_some_raise(application_of, sent, first, second, script, pace):
    application = application_of(first.declared(FailingOutput), second.declared(GatherAgain))
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    made = first.modelled()(iter([*source(sent), END]))
    left = (item for item in made if not (isinstance(item, Message) and sum(item.value) % BAD == 0))
    assert read(driver) == in_milliseconds(results(second.modelled()(left)))


@given(messages(), timed(), scripts(), paces())
def test_a_time_that_cannot_be_found_is_the_failure_of_its_message(sent, shape, script, pace):
    pipeline = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode, event_time=bad_time))
    application = finished(pipeline.key_by(by_key).to(shape.declared()))
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    assert read(driver) == expected(source(m for m in sent if not is_bad(m)), shape)
    assert [letter.stage for letter in driver.dead_letters()] == ["in"] * sum(map(is_bad, sent))


def letters(driver):
    return sorted((letter.key.decode(), shown(letter.timestamp_ms)) for letter in driver.dead_letters())


def bad_time(message):
    if message[1] % BAD == 0:
        return [None, 1.5, -1, 2**63, True][message[1] // BAD % 5]
    return message[2] * MS
