"""What the engine relies on when a group rebalances, each on its own and on both protocols."""

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaException, TopicPartition

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from wallaroo.engine.transaction import Commit, exactly_once, no_probe
from wallaroo.kafka.clients import group_consumer, task_transactions
from wallaroo.kafka.group_member import GroupMember
from wallaroo.kafka.producers import ProducerTurns
from wallaroo.record import Batch, Partition
from wallaroo.settings import Settings

PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])


def nothing(_consumer, _partitions):
    """What most members do besides."""


class Owner:
    """Reads on in whatever is assigned; before that and before a revocation it does what a test says."""

    def __init__(self, before_revoke, before_resume):
        self._before_revoke = before_revoke
        self._before_resume = before_resume

    def on_assigned(self, assigned):
        starts = [TopicPartition(each.topic, each.partition, each.offset) for each in assigned]
        self._before_resume(self.member.consumer, starts)
        self.member.resume(starts)

    def on_revoked(self, partitions):
        self._before_revoke(self.member.consumer, partitions)

    def on_lost(self, partitions):
        self._before_revoke(self.member.consumer, partitions)

    def on_rebalanced(self):
        pass


class Group:
    """Members of one group."""

    def __init__(self, servers, name, protocol):
        self.settings = Settings(bootstrap_servers=servers, group_protocol=protocol)
        self.name = name
        self.members = []
        create_topic(servers, name, 4)
        produce(servers, name, [Sent(None, b"%d" % n, n % 4) for n in range(400)])

    def join(self, before_revoke=nothing, before_resume=nothing):
        owner = Owner(before_revoke, before_resume)
        owner.member = GroupMember(self.name, self.settings, "earliest", owner, {})
        self.members.append(owner.member)
        owner.member.join(group_consumer(self.settings, self.name, f"{self.name}-{len(self.members)}"))
        return owner.member.consumer

    def owned(self):
        """How many partitions each member has, once they have all been polled."""
        for member in self.members:
            member.consumer.poll(0.01)
        return [len(member.consumer.assignment()) for member in self.members]

    def writer(self):
        turns = ProducerTurns([lambda: task_transactions(self.settings, self.name)])
        return exactly_once(turns, no_probe, lambda _batches, _error: None)

    def commit(self, number, next_offset, group):
        batch = Batch(Partition(self.name, number), next_offset, 1, 0, [(self.name, b"out")], [], {}, {})
        return Commit([batch], group)

    def close(self):
        for member in self.members:
            member.leave()


@pytest.fixture
def group(bootstrap_servers, application_id, protocol):
    made = Group(bootstrap_servers, application_id, protocol)
    yield made
    made.close()


@PROTOCOLS
def test_a_commit_for_a_partition_that_has_moved_is_aborted_and_the_next_one_works(group):
    first = group.join()
    wait_until(lambda: group.owned() == [4])
    write, outdated = group.writer(), first.consumer_group_metadata()
    second = group.join()
    wait_until(lambda: group.owned() == [2, 2])
    moved, kept = second.assignment()[0].partition, first.assignment()[0].partition
    assert not write(group.commit(moved, 2, outdated)).committed
    assert write(group.commit(kept, 2, first.consumer_group_metadata())).committed
    assert committed(first, group, [moved, kept]) == [OFFSET_INVALID, 2]


@PROTOCOLS
def test_a_commit_while_partitions_are_revoked_succeeds(group):
    write, results = group.writer(), []

    def commit(consumer, partitions):
        metadata = consumer.consumer_group_metadata()
        results.extend(write(group.commit(tp.partition, 3, metadata)) for tp in partitions)

    group.join(before_revoke=commit)
    wait_until(lambda: group.owned() == [4])
    second = group.join()
    wait_until(lambda: group.owned() == [2, 2])
    assert [result.committed for result in results] == [True, True]
    assert committed(second, group, [tp.partition for tp in second.assignment()]) == [3, 3]


@PROTOCOLS
def test_a_seek_while_a_rebalance_is_answered_holds(group):
    def go_back(_consumer, _partitions):
        if not seen:
            group.members[0].resume([TopicPartition(group.name, number, 3) for number in range(4)])

    seen = {}
    first = group.join(before_revoke=go_back)
    wait_until(lambda: first.consume(400, 0.1) is not None and positions(first) == [100] * 4)
    second = group.join()

    def balanced():
        second.poll(0.01)
        note_first_offsets(seen, first.consume(400, 0.05))
        kept = {tp.partition for tp in first.assignment()}
        return len(kept) == len(second.assignment()) == 2 and kept <= seen.keys()

    wait_until(balanced)
    assert set(seen.values()) == {3}


@PROTOCOLS
def test_a_member_that_leaves_leaves_its_partitions_to_others_at_once(group):
    group.join()
    group.join()
    wait_until(lambda: group.owned() == [2, 2])
    group.members.pop().leave()
    # Not only when its session is over: in 45 s, or 6.
    wait_until(lambda: group.owned() == [4], timeout_seconds=5)


@PROTOCOLS
def test_an_error_of_the_client_in_a_callback_can_be_caught_where_it_polls(group):
    def too_hasty(consumer, partitions):
        consumer.committed(partitions, timeout=1e-5)

    group.join(before_resume=too_hasty)
    with pytest.raises(KafkaException, match="Timed out"):
        wait_until(lambda: group.owned() == [4])


def committed(consumer, group, numbers):
    return [tp.offset for tp in consumer.committed([TopicPartition(group.name, n) for n in numbers])]


def positions(consumer):
    return sorted(tp.offset for tp in consumer.position(consumer.assignment()))


def note_first_offsets(seen, messages):
    for message in messages:
        if message.error() is None:
            seen.setdefault(message.partition(), message.offset())


@PROTOCOLS
def test_members_that_get_no_partition_have_their_answer_too(group):
    for _ in range(5):
        group.join()
    wait_until(lambda: sorted(group.owned()) == [0, 1, 1, 1, 1])
    wait_until(lambda: group.owned() and all(member.answered for member in group.members))
