"""A Kafka sink elsewhere is behind an outbox; what is elsewhere, the sources and the operator say."""

import pytest

import wallaroo
from tests.samples import decode, encode
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.describe import describe
from wallaroo.topology.model import Delivery, RemoteTopic, ToOutbox, ToTopic

HERE, THERE = [("k1", "9092")], [("k2", "9093"), ("k3", "9093")]
FAR = RemoteTopic("far.alerts", tuple(THERE))


def source(brokers=None, name="in"):
    config = wallaroo.KafkaSourceConfig(name, brokers, decoder=decode)
    return wallaroo.source(name, config)


def sink(brokers=None, topic="far.alerts"):
    return wallaroo.KafkaSinkConfig(topic, brokers, encoder=encode)


def compiled(pipeline, servers=None):
    application = wallaroo.build_application("Some App", pipeline)
    return compile_topology(application, bootstrap_servers=servers)


def is_elsewhere(source_brokers, sink_brokers, servers=None):
    topology = compiled(source(source_brokers).to_sink(sink(sink_brokers)), servers)
    (target,) = topology.sub_topologies[0].targets
    assert isinstance(target, ToOutbox) == bool(topology.deliveries)
    return isinstance(target, ToOutbox)


def test_it_has_an_outbox_and_a_group_that_delivers_it():
    topology = compiled(source(HERE).to_sink(sink(THERE)))
    (target,) = topology.sub_topologies[0].targets
    assert (target.name, target.topic, target.remote) == ("encode", "some-app-far-alerts-outbox", FAR)
    delivery = Delivery("far-alerts", "some-app-far-alerts-delivery", "some-app-far-alerts-outbox", FAR)
    assert topology.deliveries == (delivery,)
    assert topology.sinks == ()


@pytest.mark.parametrize(
    ("source_brokers", "sink_brokers", "servers"),
    [
        (HERE, THERE, None),
        (HERE, THERE, "k1:9092"),
        (HERE, THERE, "prod:9092"),
        (None, THERE, "prod:9092"),
        (None, THERE, "k2:9092"),
        (None, [("k2", "9092")], "k2:9093"),
    ],
)
def test_brokers_that_nobody_else_names_are_elsewhere(source_brokers, sink_brokers, servers):
    assert is_elsewhere(source_brokers, sink_brokers, servers)


@pytest.mark.parametrize(
    ("source_brokers", "sink_brokers", "servers"),
    [
        (None, None, None),
        (HERE, None, "prod:9092"),
        (None, THERE, None),
        (HERE, HERE, None),
        # What the operator says of the source holds for a sink beside it.
        (HERE, HERE, "prod:9092"),
        (HERE, THERE, "k3:9093"),
        (HERE, THERE, "k9:1, SSL://K3:9093"),
        ([("k3", "9093"), *HERE], THERE, None),
        (None, [("k2", "9092")], "k2"),
        (None, [("127.0.0.1", "9092")], "localhost:9092"),
        (None, [("localhost", "9092")], "[::1]:9092"),
    ],
)
def test_brokers_that_the_sources_or_the_operator_name_are_the_applications_own(
    source_brokers, sink_brokers, servers
):
    assert not is_elsewhere(source_brokers, sink_brokers, servers)


def test_sinks_on_both_clusters_share_their_sub_topology():
    topology = compiled(source(HERE).to_sinks([sink(HERE, "near"), sink(THERE)]))
    near, far = topology.sub_topologies[0].targets
    assert isinstance(near, ToTopic)
    assert isinstance(far, ToOutbox)
    assert topology.sinks == ("near",)


def test_branches_that_write_one_topic_share_its_delivery():
    merged = source(HERE).merge(source(HERE, "more")).to_sink(sink(THERE))
    topology = compiled(merged)
    assert len(topology.sub_topologies) == 2
    assert len(topology.deliveries) == 1


def test_topics_of_one_name_on_two_clusters_have_outboxes_of_their_own():
    sinks = [sink(THERE), sink([("k4", "9092")])]
    assert [d.outbox for d in compiled(source(HERE).to_sinks(sinks)).deliveries] == [
        "some-app-far-alerts-outbox",
        "some-app-far-alerts-k4-9092-outbox",
    ]


def test_the_description_says_where_it_goes():
    topology = compiled(source(HERE).to_sink(sink(THERE)))
    text = describe(topology)
    assert "    writes   some-app-far-alerts-outbox (outbox, by encode)\n" in text
    assert "    sends    kafka k2:9093,k3:9093 far.alerts\n" in text
    assert '["kafka k2:9093,k3:9093 far.alerts"]' in describe(topology, "mermaid")
    assert '"sends": "kafka k2:9093,k3:9093 far.alerts"' in describe(topology, "json")
