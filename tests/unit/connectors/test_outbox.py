"""What of an outbox is committed: only what the receiver has, and only of partitions that are ours."""

from dataclasses import dataclass

from confluent_kafka import KafkaError, TopicPartition

from wallaroo.connectors.outbox import Outbox, Position


@dataclass
class Refused:
    """An answer that only the client can make with a real TopicPartition: its error is read-only."""

    partition: int
    offset: int
    error = KafkaError(KafkaError.ILLEGAL_GENERATION)


def owning(**starts):
    outbox = Outbox("alerts")
    for name, start in starts.items():
        outbox.assigned(int(name[1:]), start)
    outbox.admit()
    return outbox


def due(outbox):
    return {tp.partition: tp.offset for tp in outbox.due()}


def test_nothing_is_due_before_something_is_delivered():
    outbox = owning(p0=5, p1=7)
    outbox.owned[0].read = 50
    assert due(outbox) == {}


def test_an_offset_that_the_group_has_never_committed_is_due_at_once_with_its_metadata():
    outbox = Outbox("alerts")
    outbox.metadata = "1Iid"
    outbox.assigned(0, 7, is_committed=False)
    outbox.admit()
    assert [(tp.offset, tp.metadata) for tp in outbox.due()] == [(7, "1Iid")]
    outbox.committed(outbox.due())
    assert due(outbox) == {}


def test_what_is_due_ends_at_the_last_delivered_record_however_much_is_read():
    outbox = owning(p0=5, p1=7, p2=0)
    outbox.owned[0].read = outbox.owned[1].read = 100
    outbox.delivered([(0, 6), (1, 8), (0, 9)])
    assert due(outbox) == {0: 9, 1: 8}


def test_what_is_committed_is_no_longer_due_and_what_was_refused_still_is():
    outbox = owning(p0=0, p1=0)
    outbox.delivered([(0, 1), (1, 1)])
    outbox.committed([TopicPartition("alerts", 0, 1), Refused(1, 1)])
    assert due(outbox) == {1: 1}


def test_a_partition_that_is_released_is_no_longer_due_and_begins_anew_when_it_comes_back():
    outbox = owning(p0=0, p1=0)
    outbox.delivered([(0, 1), (1, 1)])
    outbox.release([0])
    assert due(outbox) == {1: 1}
    outbox.assigned(0, 1)
    assert (len(outbox), list(outbox.owned)) == (2, [1])
    assert outbox.admit()
    assert outbox.owned[0] == Position(1, 1, 1)


def test_partitions_that_are_not_yet_owned_can_be_released():
    outbox = owning(p0=0)
    outbox.assigned(1, 0)
    assert outbox.any_besides({0})
    outbox.release([1])
    assert not outbox.any_besides({0})
    assert not outbox.admit()


def test_the_lag_counts_what_is_not_delivered_and_no_markers_behind_the_last_record():
    waiting, done = Position(read=9, delivered=4, committed=4), Position(read=9, delivered=9, committed=9)
    done.end = waiting.end = 10
    assert [10 - position.done for position in (waiting, done)] == [6, 0]


def test_the_lag_counts_what_is_delivered_and_not_committed():
    assert 10 - Position(read=9, delivered=9, committed=4, end=10).done == 6
    assert 10 - Position(read=9, delivered=7, committed=-1).done == 3
