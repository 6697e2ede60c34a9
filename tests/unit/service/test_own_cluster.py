"""Which cluster: the operator's word counts, then the application's."""

import pytest

import wallaroo
from tests.samples import compiled, decode, encode
from wallaroo.errors import SettingsError
from wallaroo.service.application import with_own_cluster
from wallaroo.settings import Settings


def source(name, *brokers):
    return wallaroo.source(name, wallaroo.KafkaSourceConfig(name, list(brokers) or None, decoder=decode))


def servers(topology, **settings):
    return with_own_cluster(Settings(**settings), topology).bootstrap_servers


def test_without_a_word_from_anybody_it_is_the_local_one():
    assert servers(compiled(source("a"))) == "localhost:9092"


def test_the_application_may_name_its_brokers():
    assert servers(compiled(source("a", ("k1", "9092"), ("k2", "9093")))) == "k1:9092,k2:9093"


def test_one_source_that_names_brokers_is_enough():
    assert servers(compiled(source("a").merge(source("b", ("k1", "9092"))))) == "k1:9092"


def test_the_operator_has_the_last_word():
    topology = compiled(source("a", ("k1", "9092")))
    assert servers(topology, bootstrap_servers="prod:9092") == "prod:9092"


def test_two_sources_on_different_clusters_need_the_operators_word():
    topology = compiled(source("a", ("k1", "9092")).merge(source("b", ("k2", "9092"))))
    with pytest.raises(SettingsError, match="the source 'a' and the source 'b' name different brokers"):
        servers(topology)
    assert servers(topology, bootstrap_servers="prod:9092") == "prod:9092"


def test_brokers_that_share_an_address_are_of_one_cluster():
    topology = compiled(source("a", ("k1", "9092"), ("k2", "9092")).merge(source("b", ("K2", "9092"))))
    assert servers(topology) == "k1:9092,k2:9092"


def sink(topic, *brokers):
    return wallaroo.KafkaSinkConfig(topic, list(brokers), encoder=encode)


def test_a_sink_may_name_the_brokers_too():
    named = ("k1", "9092")
    assert servers(compiled(source("a"), sink("out", named))) == "k1:9092"
    assert servers(compiled(source("a", named), sink("out", named))) == "k1:9092"


def test_a_sink_elsewhere_does_not_count():
    topology = compiled(source("a", ("k1", "9092")), sink("out", ("k2", "9092")))
    assert servers(topology) == "k1:9092"
    assert servers(topology, bootstrap_servers="prod:9092") == "prod:9092"


def test_two_sinks_on_different_clusters_do_not_say_which_one_is_the_applications_own():
    topology = compiled(source("a"), sink("out", ("k1", "9092")), sink("far", ("k2", "9092")))
    with pytest.raises(SettingsError, match="the sink of 'out' and the sink of 'far' name different brokers"):
        servers(topology)
