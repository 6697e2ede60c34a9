"""Every client is made once at the start with the properties that it will get, what it refuses is told."""

import time

import pytest

import wallaroo
from tests.samples import KAFKA_SINK, compiled, decode, encode, source, total, user
from wallaroo.errors import SettingsError
from wallaroo.kafka.check import check_clients
from wallaroo.settings import Settings

TOPOLOGY = compiled(source().key_by(user).to(total), KAFKA_SINK)
HERE = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", [("k1", "9092")], decoder=decode))
TO_ANOTHER_CLUSTER = compiled(HERE, wallaroo.KafkaSinkConfig("far", [("k2", "9092")], encoder=encode))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"group_protocol": "consumer"},
        {"processing_guarantee": "at_least_once"},
        {"consumer": {"max.poll.interval.ms": "20000"}},
        {"kafka": {"max.poll.interval.ms": "20000"}},
        {"kafka": {"bootstrap.servers": "nobody:1", "client.rack": "a"}},
        {"delivery": {"no.such.property": "1"}},
    ],
)
def test_properties_that_every_client_takes_pass(settings):
    check_clients(TOPOLOGY, Settings(**settings))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"consumer": {"max.poll.interval.ms": "5000"}}, "max.poll.interval.ms"),
        ({"kafka": {"max.poll.interval.ms": "5000"}}, "max.poll.interval.ms"),
        ({"session_timeout_ms": 400_000}, "the time-outs that go with them"),
        ({"consumer": {"fetch.max.bytes": "10"}}, "fetch.max.bytes"),
        ({"consumer": {"no.such.property": "1"}}, "no.such.property"),
        ({"producer": {"acks": "1"}}, "acks"),
        ({"producer": {"message.timeout.ms": "600000"}}, "transaction.timeout.ms"),
        ({"kafka": {"security.protocol": "SSL", "ssl.ca.location": "/nowhere"}}, "ssl.ca.location"),
    ],
)
def test_properties_that_one_client_refuses_are_refused_at_the_start(settings, told):
    with pytest.raises(SettingsError, match="the Kafka client refuses its properties") as refused:
        check_clients(TOPOLOGY, Settings(**settings))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"consumer": {"group.instance.id": "mine"}}, "application_id and instance"),
        ({"kafka": {"transactional.id": "mine"}}, "application_id and instance"),
        ({"consumer": {"group.protocol": "consumer"}}, "set group_protocol"),
        ({"consumer": {"auto.offset.reset": "latest"}}, "set auto_offset_reset"),
        ({"consumer": {"enable.auto.commit": "true"}}, "committed with the results"),
    ],
)
def test_a_property_that_makes_a_client_ours_is_refused_with_the_setting_for_it(settings, advice):
    with pytest.raises(SettingsError, match="leave out the property") as refused:
        check_clients(TOPOLOGY, Settings(**settings))
    assert advice in str(refused.value)


def test_the_clients_of_other_clusters_are_tried_where_there_are_any():
    with pytest.raises(SettingsError, match=r"no\.such\.property"):
        check_clients(TO_ANOTHER_CLUSTER, Settings(delivery={"no.such.property": "1"}))


@pytest.mark.parametrize(
    "kafka",
    [
        {"security.protocol": "s3cret"},
        {"ssl.key.pem": "s3cret", "security.protocol": "SSL"},
        {"ssl.keystore.location": "/nowhere", "ssl.keystore.password": "s3cret", "security.protocol": "SSL"},
        {"sasl.jaas.config": "user=me password=s3cret;"},
        {"sasl.mechanism": "s3cret", "security.protocol": "SASL_SSL"},
        {"linger.ms": "s3cret"},
        {"client.id": "a", "debug": "s3cret"},
    ],
)
def test_a_refusal_shows_no_value_of_a_property(kafka, capfd):
    with pytest.raises(SettingsError) as refused:
        check_clients(TOPOLOGY, Settings(kafka=kafka))
    captured = capfd.readouterr()
    assert "s3cret" not in f"{refused.value} {captured.out} {captured.err}"


def test_the_check_connects_to_nobody_and_takes_no_time(capfd):
    began = time.monotonic()
    check_clients(TO_ANOTHER_CLUSTER, Settings(bootstrap_servers="127.0.0.1:1"))
    assert time.monotonic() - began < 2
    assert capfd.readouterr().err == ""
