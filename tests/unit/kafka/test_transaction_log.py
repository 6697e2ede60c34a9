"""What Kafka's coordinator wrote about a transaction, read from bytes that Kafka 4.3.1 wrote."""

import struct

import pytest
from hypothesis import given
from hypothesis.strategies import binary

from wallaroo.kafka.transaction_log import Ending, decode, encode_key, ends_of

ONGOING, COMMITTING, ABORTING, COMMITTED = 1, 2, 3, 4
FIRST, SECOND = ("sink", 2), ("__consumer_offsets", 1)


def text(value, compact):
    size = bytes([len(value) + 1]) if compact else struct.pack(">h", len(value))
    return size + value.encode()


def number_of(count, compact):
    return bytes([count + 1]) if compact else struct.pack(">i", count)


def written(status, *places, compact=True):
    """A value as the coordinator writes it: version 1 is compact, and ends structures with tagged fields."""
    tags = b"\0" if compact else b""
    topics = b"".join(
        text(topic, compact) + number_of(1, compact) + struct.pack(">i", number) + tags
        for topic, number in places
    )
    head = struct.pack(">hqhib", int(compact), 7, 3, 60_000, status)
    return head + number_of(len(places), compact) + topics + struct.pack(">qq", 1, 2) + tags


def log(*values):
    return [(encode_key("mine"), value) for value in values]


@pytest.mark.parametrize("compact", [True, False])
def test_both_layouts_of_kafka_are_read(compact):
    assert decode(written(COMMITTING, FIRST, SECOND, compact=compact)) == Ending(
        COMMITTING, frozenset({FIRST, SECOND})
    )


def test_a_layout_that_is_not_known_is_not_read():
    assert decode(struct.pack(">hqhib", 2, 7, 3, 60_000, COMMITTING)) is None


def test_a_transaction_that_was_to_be_committed_is_committed_in_all_its_partitions():
    values = log(written(ONGOING, FIRST), written(COMMITTING, FIRST, SECOND), written(COMMITTED))
    assert ends_of(values, "mine") == {FIRST: True, SECOND: True}


def test_for_each_partition_the_last_transaction_that_had_it_counts():
    values = log(written(COMMITTING, FIRST, SECOND), written(COMMITTED), written(ABORTING, SECOND))
    assert ends_of(values, "mine") == {FIRST: True, SECOND: False}


def test_a_transaction_that_goes_on_has_no_end_yet():
    values = log(written(COMMITTING, FIRST), written(COMMITTED), written(ONGOING, FIRST))
    assert ends_of(values, "mine") == {}


def test_what_was_compacted_away_is_not_guessed():
    assert ends_of(log(written(COMMITTED), None), "mine") == {}


def test_other_producers_do_not_count():
    assert ends_of([(encode_key("other"), written(COMMITTING, FIRST))], "mine") == {}


@given(binary(max_size=60))
def test_any_bytes_are_read_or_unknown(value):
    ends_of([(encode_key("mine"), value)], "mine")
