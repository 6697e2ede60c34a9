"""Which ends of transactions are written, and where."""

from hypothesis import given
from hypothesis.strategies import integers, text

from wallaroo.engine.lost_ends import LostEnd, lost_ends, neighbour
from wallaroo.kafka.open_transactions import java_hash

OFFSETS, CHANGELOG, OTHER = ("__consumer_offsets", 4), ("totals-changelog", 0), ("totals-changelog", 1)


def test_an_open_partition_is_ended_as_its_last_transaction_was():
    ends = {"mine": {OFFSETS: True, CHANGELOG: False}, "mine-b": {OTHER: True}}
    assert lost_ends({OFFSETS, CHANGELOG}, ends) == [
        LostEnd("mine", True, (OFFSETS,)),
        LostEnd("mine", False, (CHANGELOG,)),
    ]


def test_each_producer_ends_its_own():
    ends = {"mine": {CHANGELOG: True}, "mine-b": {CHANGELOG: False}}
    assert lost_ends({CHANGELOG}, ends) == [
        LostEnd("mine", True, (CHANGELOG,)),
        LostEnd("mine-b", False, (CHANGELOG,)),
    ]


def test_without_a_known_end_nothing_is_written():
    assert lost_ends({OFFSETS, CHANGELOG}, {"mine": {OTHER: True}, "mine-b": {}}) == []


def test_where_nothing_is_open_nothing_is_written():
    assert lost_ends(set(), {"mine": {OFFSETS: True}}) == []


@given(text(min_size=1), integers(1, 60))
def test_a_neighbour_lives_where_the_group_lives_and_is_another(group, partitions):
    found = neighbour(group, partitions)
    assert found != group
    assert java_hash(found) % partitions == java_hash(group) % partitions
