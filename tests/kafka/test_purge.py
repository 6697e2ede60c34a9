"""What everybody has read is deleted from the topics that are ours alone, and from no others."""

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.model import transactions
from tests.kafka.scenario import PARTITIONS
from wallaroo.service.application import load
from wallaroo.service.own_topics import OwnTopics
from wallaroo.settings import Settings


def purge(scenario):
    arguments = ("apps", f"--in-topic={scenario.in_topic}", f"--out-topic={scenario.out_topic}")
    topology = load("tests.kafka.apps", arguments, scenario.application_id).topology
    OwnTopics(topology, Settings(bootstrap_servers=scenario.servers), "purge").purge()


@pytest.fixture
def consumer(scenario):
    """In the group that reads the repartition topic; Kafka forgets its offsets with the topic."""
    config = {"bootstrap.servers": scenario.servers, "group.id": f"{scenario.application_id}-extract-user"}
    made = Consumer(config)
    yield made
    made.close()


def partitions(topic):
    return [TopicPartition(topic, number) for number in range(PARTITIONS)]


def make_anew(scenario, topic, records):
    """The topic, with records that nobody has read."""
    admin = AdminClient({"bootstrap.servers": scenario.servers})
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=30).topics)
    create_topic(scenario.servers, topic, PARTITIONS)
    produce(scenario.servers, topic, records)


def test_records_that_have_been_read_are_deleted_from_the_repartition_topic(scenario, rng):
    scenario.send(transactions(rng, 2_000))
    scenario.start()
    scenario.settle()
    scenario.stop_all()
    assert read_topic(scenario.servers, scenario.repartition)
    purge(scenario)
    assert read_topic(scenario.servers, scenario.repartition) == []
    assert len(read_topic(scenario.servers, scenario.in_topic)) == 2_000
    scenario.start()
    scenario.send(transactions(rng, 500))
    scenario.finish()


def test_nothing_is_deleted_from_a_topic_that_was_made_anew_below_offsets_of_the_one_before(
    scenario, consumer, rng
):
    # given the offsets of a group, committed for the topic that was there before
    scenario.send(transactions(rng, 200))
    scenario.start()
    scenario.settle()
    scenario.stop_all()
    topic = scenario.repartition
    offsets = consumer.committed(partitions(topic), timeout=30)
    unread = [Sent(None, b"unread", at.partition) for at in offsets for _ in range(at.offset + 1)]
    make_anew(scenario, topic, unread)
    consumer.commit(offsets=offsets, asynchronous=False)
    # when
    purge(scenario)
    # then
    assert len(read_topic(scenario.servers, topic)) == len(unread)


def test_nothing_is_deleted_below_offsets_that_were_committed_by_hand(scenario, consumer):
    create_topic(scenario.servers, scenario.repartition, PARTITIONS)
    produce(scenario.servers, scenario.repartition, [Sent(None, b"unread", number) for number in range(4)])
    offsets = [TopicPartition(scenario.repartition, number, 1) for number in range(PARTITIONS)]
    consumer.commit(offsets=offsets, asynchronous=False)
    purge(scenario)
    assert len(read_topic(scenario.servers, scenario.repartition)) == PARTITIONS
