"""The Kafka that these tests run on keeps its promises; if one of these fails, believe no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker, answers
from scripts.kafka.errors import KafkaStartError
from scripts.kafka.process import port_answers
from tests.kafka.cluster import (
    Sent,
    create_topic,
    produce,
    read_topic,
    read_visible,
    topic_config,
    wait_until,
)

ROOT = Path(__file__).parents[2]


def make_producer(servers: str, transactional_id: str) -> Producer:
    producer = Producer({"bootstrap.servers": servers, "transactional.id": transactional_id})
    producer.init_transactions(30)
    return producer


def make_consumer(servers: str, group: str, protocol: str) -> Consumer:
    settings = {"bootstrap.servers": servers, "group.id": group, "group.protocol": protocol}
    return Consumer({**settings, "auto.offset.reset": "earliest", "enable.auto.commit": False})


def values(servers: str, topic: str, isolation: str = "read_committed") -> list[bytes]:
    return [message.value() for message in read_topic(servers, topic, isolation)]


def test_a_produced_record_is_read_back_with_everything_it_has(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id)
    produce(bootstrap_servers, application_id, [Sent("rex", "wuff", 3, 1234, (("from", b"fido"),))])
    [message] = read_topic(bootstrap_servers, application_id)
    assert (message.key(), message.value(), message.partition()) == (b"rex", b"wuff", 3)
    assert message.timestamp()[1] == 1234
    assert message.headers() == [("from", b"fido")]


def test_reading_an_empty_topic_ends_at_once(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id)
    assert read_topic(bootstrap_servers, application_id, timeout_seconds=5) == []


def test_the_order_of_a_key_is_kept(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id)
    produce(bootstrap_servers, application_id, [(f"user-{n % 7}", str(n)) for n in range(700)])
    read = read_topic(bootstrap_servers, application_id)
    assert [int(message.value()) for message in read if message.key() == b"user-3"] == list(range(3, 700, 7))
    assert len({message.partition() for message in read}) > 1


def test_an_aborted_transaction_is_read_by_nobody_who_reads_what_is_committed(
    bootstrap_servers, application_id
):
    create_topic(bootstrap_servers, application_id, partitions=2)
    producer = make_producer(bootstrap_servers, application_id)
    producer.begin_transaction()
    producer.produce(application_id, b"kept", partition=0)
    producer.commit_transaction()
    producer.begin_transaction()
    producer.produce(application_id, b"dropped", partition=0)
    producer.flush()
    producer.abort_transaction()
    assert values(bootstrap_servers, application_id) == [b"kept"]
    assert values(bootstrap_servers, application_id, "read_uncommitted") == [b"kept", b"dropped"]


def test_an_open_transaction_hides_what_follows_it_in_its_partition(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id, partitions=2)
    producer = make_producer(bootstrap_servers, application_id)
    producer.begin_transaction()
    producer.produce(application_id, b"pending", partition=0)
    producer.flush()
    produce(bootstrap_servers, application_id, [Sent(None, b"behind", 0), Sent(None, b"elsewhere", 1)])
    visible = [message.value() for message in read_visible(bootstrap_servers, application_id)]
    assert visible == [b"elsewhere"]
    with pytest.raises(TimeoutError, match="an open transaction"):
        read_topic(bootstrap_servers, application_id, timeout_seconds=1)
    producer.commit_transaction()
    assert values(bootstrap_servers, application_id) == [b"pending", b"behind", b"elsewhere"]


def test_a_zombie_producer_is_fenced(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id)
    zombie = make_producer(bootstrap_servers, application_id)
    zombie.begin_transaction()
    zombie.produce(application_id, b"late")
    zombie.flush()
    make_producer(bootstrap_servers, application_id)
    with pytest.raises(Exception, match="fenced") as caught:
        zombie.commit_transaction()
    assert caught.value.args[0].code() in {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH}
    assert values(bootstrap_servers, application_id) == []


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_offsets_and_output_are_committed_together(bootstrap_servers, application_id, protocol):
    source, target, group = (f"{application_id}-{name}" for name in ("source", "target", "group"))
    create_topic(bootstrap_servers, source, partitions=2)
    create_topic(bootstrap_servers, target, partitions=2)
    produce(bootstrap_servers, source, [Sent(None, b"in", 1)])
    consumer = make_consumer(bootstrap_servers, group, protocol)
    consumer.subscribe([source])
    [message] = wait_until(lambda: consumer.consume(1, 0.2))
    producer = make_producer(bootstrap_servers, application_id)
    producer.begin_transaction()
    producer.produce(target, b"out of " + message.value())
    position = [TopicPartition(source, 1, message.offset() + 1)]
    producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata())
    producer.commit_transaction()
    committed = consumer.committed([TopicPartition(source, 1)])
    consumer.close()
    assert [partition.offset for partition in committed] == [1]
    assert values(bootstrap_servers, target) == [b"out of in"]


def test_a_topic_that_nobody_made_is_not_made_by_writing_to_it(bootstrap_servers, application_id):
    producer = Producer({"bootstrap.servers": bootstrap_servers, "topic.metadata.propagation.max.ms": 0})
    errors = []
    producer.produce(application_id, b"lost", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert [error.code() for error in errors] == [KafkaError.UNKNOWN_TOPIC_OR_PART]


def test_the_configuration_of_a_topic_can_be_read(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id, config={"cleanup.policy": "compact"})
    assert topic_config(bootstrap_servers, application_id)["cleanup.policy"] == "compact"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_broker_keeps_its_topics_and_records_over_a_restart(own_broker, application_id, end):
    servers = own_broker.bootstrap_servers
    create_topic(servers, application_id, partitions=2)
    produce(servers, application_id, [Sent(None, b"before", 0)])
    getattr(own_broker, end)()
    assert not port_answers(own_broker.port)
    own_broker.restart()
    assert own_broker.bootstrap_servers == servers
    produce(servers, application_id, [Sent(None, b"after", 0)])
    assert values(servers, application_id) == [b"before", b"after"]


def test_the_broker_does_not_outlive_a_process_that_is_killed(kafka_broker, tmp_path):
    script = """if True:
        import sys, time
        from pathlib import Path
        from scripts.kafka.broker import SHORT_LIVED, KafkaBroker
        broker = KafkaBroker(Path(sys.argv[1]), performance=SHORT_LIVED)
        broker.start()
        print(broker.port, flush=True)
        sys.stdin.read()
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "."},
        **pipes,
    ) as owner:
        port = int(owner.stdout.readline())
        assert answers(f"127.0.0.1:{port}")
        owner.kill()
    wait_until(lambda: not port_answers(port))


def test_a_broker_with_a_senseless_property_says_which(kafka_broker, tmp_path):
    broker = KafkaBroker(tmp_path, properties={"num.io.threads": "many"}, performance=SHORT_LIVED)
    with pytest.raises(KafkaStartError, match=r"Invalid value many for configuration num\.io\.threads"):
        broker.start()


def test_a_broker_that_ends_while_it_starts_shows_its_last_complaints(kafka_broker, tmp_path):
    properties = {"metric.reporters": "no.such.Reporter"}
    broker = KafkaBroker(tmp_path, properties=properties, performance=SHORT_LIVED)
    with pytest.raises(KafkaStartError, match=r"(?s)ended with exit code 1; .*no\.such\.Reporter"):
        broker.start()
    assert not broker.running


def test_a_broker_does_not_mistake_another_one_for_itself(kafka_broker, tmp_path):
    with pytest.raises(KafkaStartError, match=f"port {kafka_broker.port} is taken"):
        KafkaBroker(tmp_path, kafka_broker.port).start()
