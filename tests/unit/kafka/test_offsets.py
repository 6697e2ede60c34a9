"""Reading partitions up to their ends: what counts as the end, and what is read no more."""

import pytest
from confluent_kafka import KafkaError

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.offsets import EndReader, end_offsets


class Message:
    """A record, or an event with the code of an error."""

    def __init__(self, partition, offset, code=None, topic="t"):
        self._partition, self._offset, self._topic = partition, offset, topic
        self._error = None if code is None else KafkaError(code)

    def topic(self):
        return self._topic

    def partition(self):
        return self._partition

    def offset(self):
        return self._offset

    def error(self):
        return self._error


def end(partition, offset):
    return Message(partition, offset, KafkaError._PARTITION_EOF)


class FakeConsumer:
    """Returns one of these lists for every poll."""

    def __init__(self, *polls):
        self._polls = list(polls)
        self.assigned = []

    def assign(self, partitions):
        self.assigned = [(tp.topic, tp.partition, tp.offset) for tp in partitions]

    def consume(self, _most, _seconds):
        return self._polls.pop(0)


def reader(*polls, ends, start=0):
    places = {("t", number): offset for number, offset in ends.items()}
    return EndReader(FakeConsumer(*polls), dict.fromkeys(places, start), places, 0.1)


def offsets(records):
    return {number: [m.offset() for m in messages] for (_, number), messages in records.items()}


def test_records_are_returned_with_their_partitions():
    assert offsets(reader([Message(0, 3), Message(1, 0)], ends={0: 5, 1: 5}).poll(10)) == {0: [3], 1: [0]}


def test_a_partition_has_been_read_when_an_event_says_so_at_its_end_or_behind_it():
    reading = reader([Message(0, 3), end(0, 5), end(1, 7)], ends={0: 5, 1: 5}, start=1)
    reading.poll(10)
    assert reading.unread == {}


def test_an_end_before_the_one_asked_for_is_none_yet():
    reading = reader([Message(0, 3), end(0, 4)], ends={0: 5})
    reading.poll(10)
    assert reading.unread == {("t", 0): 5}


def test_where_an_open_transaction_stops_the_reading_is_known():
    reading = reader([Message(0, 3), end(0, 4)], ends={0: 5})
    reading.poll(10)
    assert reading.stops == {("t", 0): 4}


def test_what_is_read_on_or_to_its_end_does_not_stop():
    reading = reader([end(0, 4), end(1, 4)], [Message(0, 4), end(1, 5)], ends={0: 9, 1: 5})
    reading.poll(10)
    reading.poll(10)
    assert reading.stops == {}


def test_what_comes_behind_the_end_is_dropped():
    reading = reader([Message(0, 4), end(0, 5), Message(0, 5)], [Message(0, 6)], ends={0: 5})
    assert offsets(reading.poll(10)) == {0: [4]}
    assert reading.poll(10) == {}


def test_a_partition_that_is_taken_out_is_read_no_more():
    reading = reader([Message(0, 3), Message(1, 3), end(0, 5)], ends={0: 5, 1: 5})
    del reading.unread["t", 0]
    assert offsets(reading.poll(10)) == {1: [3]}


def test_a_partition_that_ends_where_it_starts_is_not_read():
    reading = reader(ends={0: 5}, start=5)
    assert reading.unread == {}
    assert reading._consumer.assigned == []


def test_a_cluster_that_refuses_to_be_read_says_what_to_allow():
    reading = reader([Message(-1, -1, KafkaError.TOPIC_AUTHORIZATION_FAILED)], ends={0: 5})
    with pytest.raises(KafkaSetupError, match="allow this client Read on the topic t"):
        reading.poll(10)


def test_a_group_that_may_not_be_joined_is_none_that_this_reader_joins():
    refused = Message(None, -1, KafkaError.GROUP_AUTHORIZATION_FAILED, topic=None)
    assert offsets(reader([refused, Message(0, 3)], ends={0: 5}).poll(10)) == {0: [3]}


def test_the_ends_of_nothing_need_no_question():
    assert end_offsets(None, [], 1.0) == {}
