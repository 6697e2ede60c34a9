"""A member whose partitions another one has taken over without its knowing it yet is no reason to refuse."""

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import TIMEOUT_SECONDS, Sent, create_topic, produce
from wallaroo.errors import CommitError, KafkaSetupError
from wallaroo.kafka.clients import group_consumer
from wallaroo.kafka.group_member import GroupMember
from wallaroo.settings import Settings

PARTITION = 1


class Nobody:
    """Owns what a member is given, and does nothing with it."""

    def on_assigned(self, starts):
        pass

    def on_revoked(self, partitions):
        pass

    on_lost = on_revoked

    def on_rebalanced(self):
        pass


@pytest.fixture
def member(bootstrap_servers, application_id):
    """Of a group that has read its topic up to 8, where that begins by now, as if it had been purged."""
    create_topic(bootstrap_servers, application_id, 2)
    produce(bootstrap_servers, application_id, [Sent(None, str(n), PARTITION) for n in range(10)])
    admin, purged = AdminClient({"bootstrap.servers": bootstrap_servers}), at(application_id, 8)
    admin.delete_records([purged])[purged].result(TIMEOUT_SECONDS)
    settings = Settings(bootstrap_servers=bootstrap_servers)
    made = GroupMember(application_id, settings, "earliest", Nobody(), {}, 2)
    made.consumer = group_consumer(settings, application_id, application_id)
    made.consumer.commit(offsets=[purged], asynchronous=False)
    yield made
    made.consumer.close()


def at(topic, offset):
    return TopicPartition(topic, PARTITION, offset)


def test_a_member_that_is_behind_its_group_is_told_that_others_have_read_on(member):
    with pytest.raises(CommitError, match=r"\[1\] at offset 5, but the group has committed 8"):
        member.out_of_range(PARTITION, 5)


def test_a_group_that_is_behind_its_topic_is_told_that_records_were_deleted(member, application_id):
    member.consumer.commit(offsets=[at(application_id, 5)], asynchronous=False)
    with pytest.raises(KafkaSetupError, match="this group is at 5: records were deleted"):
        member.out_of_range(PARTITION, 5)
