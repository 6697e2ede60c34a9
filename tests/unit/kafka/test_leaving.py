"""What a member does with its partitions when it leaves its group."""

from confluent_kafka import TopicPartition

from wallaroo.kafka.group_member import GroupMember
from wallaroo.settings import Settings

OWNED = [TopicPartition("in", 0), TopicPartition("in", 1)]


class Owner:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def on_assigned(self, starts):
        self.told.append("assigned")

    def on_revoked(self, partitions):
        self.told.append("revoked")

    def on_lost(self, partitions):
        self.told.append("lost")

    def on_rebalanced(self): ...


class Client:
    """Gives its partitions back in a poll, or, if the group does not answer in time, when it is closed."""

    def __init__(self, *, answers):
        self.answers = answers
        self.revoke = None

    def subscribe(self, _topics, on_assign, on_revoke, on_lost):
        self.revoke = on_revoke
        on_assign(self, OWNED)

    def poll(self, _timeout):
        if self.answers:
            self.revoke(self, OWNED)

    def close(self):
        if not self.answers:
            self.revoke(self, OWNED)

    def unsubscribe(self): ...

    def pause(self, _partitions): ...

    def incremental_assign(self, _partitions): ...

    def incremental_unassign(self, _partitions): ...


def told_when_leaving(*, answers):
    owner = Owner()
    member = GroupMember("in", Settings(), None, owner, {})
    member.join(Client(answers=answers))
    member.leave()
    return owner.told


def test_partitions_that_are_given_back_before_the_client_closes_are_committed():
    assert told_when_leaving(answers=True) == ["assigned", "revoked"]


def test_partitions_that_are_given_back_by_closing_are_lost():
    assert told_when_leaving(answers=False) == ["assigned", "lost"]
