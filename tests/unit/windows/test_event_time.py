"""Where the time of a message comes from, and what it costs those who do not ask for it."""

import pytest

import wallaroo
from tests.properties.window_samples import (
    MS,
    Gather,
    Shape,
    behind_a_hop,
    by_key,
    decode,
    finished,
    read,
    without_hop,
)
from wallaroo.task.record_batch import internal_event_time
from wallaroo.testing import ApplicationDriver
from wallaroo.topology.model import Input
from wallaroo.windows.event_time import with_event_time
from wallaroo.windows.stage import TimeContext

SHAPE = Shape(range=10, slide=10)


def timed(event_time):
    return wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode, event_time=event_time))


@wallaroo.computation("look")
def look(message):
    return message[0], (message[1],)


def test_nothing_is_composed_where_nobody_asks_for_event_time():
    def emit(_value, _key, _origin): ...

    assert with_event_time(Input("in", "in", bytes.decode), TimeContext(), internal_event_time, emit) is emit


def test_without_event_time_the_records_own_counts():
    driver = ApplicationDriver(finished(wallaroo.source("in", kafka()).to(look)))
    driver.send("in", "a:1:77", "a", timestamp_ms=5)
    driver.run()
    assert read(driver) == {"a": [((1,), 5)]}


def test_event_time_is_that_of_all_results_windows_or_not():
    driver = ApplicationDriver(finished(timed(lambda message: message[2] * MS).to(look)))
    driver.send("in", "a:1:77", "a", timestamp_ms=5)
    driver.run()
    assert read(driver) == {"a": [((1,), 77)]}


def test_event_time_goes_through_a_hop():
    driver = ApplicationDriver(finished(timed(lambda message: message[2] * MS).key_by(by_key).to(look)))
    driver.send("in", "a:1:77", "a", timestamp_ms=5)
    driver.run()
    assert read(driver) == {"a": [((1,), 77)]}
    assert [record.timestamp_ms for record in driver.records("app-by-key-repartition")] == [77]


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
def test_event_time_decides_about_windows(application_of):
    driver = ApplicationDriver(application_of(SHAPE.declared(), declared_time=True), 1)
    driver.send("in", "a:1:7", "a", timestamp_ms=10**9)
    driver.send("in", "a:2:10", "a", timestamp_ms=0)
    driver.run()
    assert read(driver) == {"a": [((1,), 9)]}


@pytest.mark.parametrize("answer", [None, 1.0, True, "7", -1, 2**62])
def test_a_time_that_is_none_is_the_failure_of_its_message(answer):
    driver = ApplicationDriver(finished(timed(lambda _message: answer).key_by(by_key).to(SHAPE.declared())))
    driver.send("in", "a:1:7", "a")
    driver.run()
    (letter,) = driver.dead_letters()
    assert letter.stage == "in"
    assert f"event_time of the source 'in' returned {answer!r}" in letter.message


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
@pytest.mark.parametrize("timestamp_ms", [-1, 2**62 // MS + 1, 2**63 - 1])
def test_a_record_whose_time_no_window_can_hold_is_a_dead_letter(application_of, timestamp_ms):
    driver = ApplicationDriver(application_of(SHAPE.declared()), 1)
    driver.send("in", "a:1:7", "a", timestamp_ms=timestamp_ms)
    driver.send("in", "a:2:7", "a", timestamp_ms=5)
    driver.run()
    driver.advance(10)
    driver.run()
    assert [letter.value for letter in driver.dead_letters()] == [b"a:1:7"]
    assert read(driver) == {"a": [((2,), 9)]}


class Unstorable(Gather):
    def update(self, message, values):
        values.append((lambda: 0) if message[1] == 0 else message[1])


def test_a_message_whose_state_cannot_be_stored_has_not_moved_the_time():
    driver = ApplicationDriver(without_hop(SHAPE.declared(Unstorable)), 1)
    for value, time in ((1, 5), (0, 100), (2, 4), (3, 6), (4, 10)):
        driver.send("in", f"a:{value}:0", "a", timestamp_ms=time)
    driver.run()
    assert read(driver) == {"a": [((1, 2, 3), 9)]}
    assert len(driver.dead_letters()) == 1


def kafka():
    return wallaroo.KafkaSourceConfig("in", decoder=decode)
