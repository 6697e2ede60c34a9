"""What a record of a repartition topic says of its event time."""

import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.window_samples import MS, Shape, behind_a_hop
from wallaroo.errors import ForeignRecordError, StoredValueError
from wallaroo.record import Moment
from wallaroo.testing import ApplicationDriver
from wallaroo.testing.logs import Message, Record
from wallaroo.windows.event_time import event_time_of, stored_event_time, timestamp_and_headers

TOPIC = "app-by-key-repartition"
SHAPE = Shape(range=10, slide=10)


def record(timestamp_ms, headers=()):
    return Message(Record("hop", 0, 0, b"value", b"key", timestamp_ms, headers))


@given(st.integers(0, 2**62) | st.integers(0, 2**42).map(lambda ms: ms * MS))
def test_every_nanosecond_goes_through_a_topic(event_time):
    assert stored_event_time(record(*timestamp_and_headers(event_time))) == event_time


def test_a_header_is_in_a_list_which_is_all_that_the_client_takes():
    # Without brokers: an error about one would be counted too.
    producer = Producer({"log_level": 0})
    producer.produce("hop", b"value", b"key", 0, None, None, *timestamp_and_headers(7))
    assert len(producer) == 1
    producer.purge()


def test_a_whole_millisecond_needs_no_header():
    assert timestamp_and_headers(1_700_000_000_000 * MS) == (1_700_000_000_000,)


@pytest.mark.parametrize("event_time", [0, 1, MS - 1])
def test_the_first_millisecond_does_not_look_like_no_timestamp_to_the_client(event_time):
    assert timestamp_and_headers(event_time)[0] == 1


def test_the_event_time_of_a_result_is_its_moment_or_its_records():
    assert event_time_of(Moment(1_234_567)) == 1_234_567
    assert event_time_of(record(7)) == 7 * MS


@pytest.mark.parametrize("value", [b"1234567", None])
def test_a_damaged_event_time_is_refused(value):
    with pytest.raises(StoredValueError, match="the header event-time holds no event time"):
        stored_event_time(record(7, [("event-time", value)]))


def test_headers_of_somebody_else_are_those_of_a_foreign_record():
    with pytest.raises(ForeignRecordError, match="something else than this application"):
        stored_event_time(record(7, [("other", b"12345678")]))


def test_a_record_with_headers_of_somebody_else_is_a_dead_letter():
    driver = ApplicationDriver(behind_a_hop(SHAPE.declared()), 1)
    driver.send("in", "a:1:0", "a", timestamp_ms=5)
    driver.run()
    (made, _control) = driver.records(TOPIC)
    driver._logs.append((TOPIC, made.value, b"a", 0, None, None, 6, [("other", b"?")]))
    driver.run()
    [letter] = driver.dead_letters()
    assert (letter.topic, letter.exception) == (TOPIC, "wallaroo.errors.ForeignRecordError")


def test_a_record_with_a_damaged_event_time_is_fatal():
    driver = ApplicationDriver(behind_a_hop(SHAPE.declared()), 1)
    driver.send("in", "a:1:0", "a", timestamp_ms=5)
    driver.run()
    (made, _control) = driver.records(TOPIC)
    driver._logs.append((TOPIC, made.value, b"a", 0, None, None, 6, [("event-time", b"?")]))
    with pytest.raises(StoredValueError, match="holds no event time"):
        driver.run()
    assert driver.dead_letters() == []
