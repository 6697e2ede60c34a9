"""Contract 1.7: the configuration classes."""

import dataclasses

import pytest

import wallaroo
from tests.samples import Numbers, decode, encode, user


def arrived(_data):
    return 0


SOURCE_ARGS = [
    "app",
    "--kafka_source_name=orders",
    "--kafka_source_topic=orders-topic",
    "--kafka_source_brokers=a:1,b",
    "--kafka_source_log_level=Info",
]
SINK_ARGS = [
    "app",
    "--kafka_sink_topic=alerts",
    "--kafka_sink_brokers=a:1,b",
    "--kafka_sink_log_level=Error",
    "--kafka_sink_max_produce_buffer_ms=7",
    "--kafka_sink_max_message_size=9",
]
BROKERS = (("a", "1"), ("b", "9092"))


def test_a_tcp_source_has_the_originals_form():
    config = wallaroo.TCPSourceConfig("in", "localhost", "7010", decode)
    assert config.to_tuple() == ("tcp", "in", "localhost", "7010", decode, True, 10, 16384, 50)


def test_a_tcp_source_takes_its_limits_in_place():
    config = wallaroo.TCPSourceConfig("in", "localhost", "7010", decode, False, 13, 100, 5)
    assert config.to_tuple() == ("tcp", "in", "localhost", "7010", decode, False, 13, 100, 5)


def test_a_tcp_source_takes_the_maximum_size_as_the_parser_gives_it():
    name, host, port, max_size = wallaroo.tcp_parse_input_addrs(["--in", "in@localhost:7010:1024"])[0]
    assert wallaroo.TCPSourceConfig(name, host, port, decode, max_size=max_size).max_size == 1024


def test_a_tcp_sink_has_the_originals_form():
    assert wallaroo.TCPSinkConfig("localhost", "7002", encode).to_tuple() == (
        "tcp",
        "",
        "localhost",
        "7002",
        encode,
    )


def test_a_tcp_sink_may_have_a_name():
    assert wallaroo.TCPSinkConfig("localhost", "7002", encode, name="alerts").name == "alerts"


@pytest.mark.parametrize("port", [7010, "7010"])
def test_a_port_is_text_whether_it_came_as_text_or_not(port):
    assert wallaroo.TCPSourceConfig("in", "localhost", port, decode).port == "7010"
    assert wallaroo.TCPSinkConfig("localhost", port, encode).port == "7010"


@pytest.mark.parametrize("port", [0, 1, 65535])
def test_the_ports_at_the_ends_are_ports(port):
    assert wallaroo.TCPSourceConfig("in", "localhost", port, decode).port == str(port)


def test_a_generator_source_has_the_originals_form():
    numbers = Numbers()
    assert wallaroo.GenSourceConfig("numbers", numbers).to_tuple() == ("gen", "numbers", numbers)


def test_a_kafka_source_has_the_documented_parameters_in_order():
    config = wallaroo.KafkaSourceConfig("orders", [("a", "1"), ("b", 9092)], "Info", decode)
    assert (config.topic, config.brokers, config.log_level, config.decoder) == (
        "orders",
        BROKERS,
        "Info",
        decode,
    )
    assert (config.name, config.partitioned_by, config.event_time) == (None, None, None)


def test_a_kafka_source_takes_our_promises_by_name():
    config = wallaroo.KafkaSourceConfig(
        "orders", decoder=decode, name="in", partitioned_by=user, event_time=arrived
    )
    assert (config.name, config.partitioned_by, config.event_time) == ("in", user, arrived)


@pytest.mark.parametrize("brokers", [None, [], [("", "9092")]])
def test_brokers_that_are_not_named_are_the_settings_brokers(brokers):
    assert wallaroo.KafkaSourceConfig("orders", brokers, decoder=decode).brokers is None
    assert wallaroo.KafkaSinkConfig("alerts", brokers, encoder=encode).brokers is None


def test_a_kafka_sink_has_the_documented_parameters_in_order():
    config = wallaroo.KafkaSinkConfig("alerts", [("a", "1"), ("b", 9092)], "Error", 7, 9, encode)
    assert config.to_tuple() == ("kafka", "", "alerts", list(BROKERS), "Error", 7, 9, encode)


def test_a_kafka_sink_has_the_originals_defaults():
    config = wallaroo.KafkaSinkConfig("alerts", encoder=encode)
    assert config.to_tuple() == ("kafka", "", "alerts", [("", "9092")], "Warn", 0, 100000, encode)


def test_a_custom_kafka_source_is_read_at_once_with_its_fields_in_place():
    config = wallaroo.CustomKafkaSourceCLIParser(SOURCE_ARGS, decode)
    assert isinstance(config, wallaroo.KafkaSourceConfig)
    assert (config.topic, config.brokers, config.log_level) == ("orders-topic", BROKERS, "Info")
    assert config.to_tuple() == ("kafka", "orders", "orders-topic", list(BROKERS), "Info", decode)


def test_a_custom_kafka_source_takes_our_promises_by_name():
    config = wallaroo.CustomKafkaSourceCLIParser(SOURCE_ARGS, decode, partitioned_by=user, event_time=arrived)
    assert (config.partitioned_by, config.event_time) == (user, arrived)


def test_a_custom_kafka_sink_is_read_at_once():
    config = wallaroo.CustomKafkaSinkCLIParser(SINK_ARGS, encode)
    assert isinstance(config, wallaroo.KafkaSinkConfig)
    assert config.to_tuple() == ("kafka", "", "alerts", list(BROKERS), "Error", 7, 9, encode)


def test_a_default_kafka_source_has_the_originals_form():
    config = wallaroo.DefaultKafkaSourceCLIParser(decode)
    assert config.to_tuple() == ("kafka-internal", "kafka_source", decode)


def test_a_default_kafka_source_is_resolved_from_the_command_line():
    config = wallaroo.DefaultKafkaSourceCLIParser(decode, partitioned_by=user, event_time=arrived)
    assert config.resolve(SOURCE_ARGS) == wallaroo.KafkaSourceConfig(
        "orders-topic",
        BROKERS,
        "Info",
        decode,
        name="kafka_source",
        partitioned_by=user,
        event_time=arrived,
    )


def test_a_default_kafka_source_reads_options_of_its_own_name():
    config = wallaroo.DefaultKafkaSourceCLIParser(decode, "orders")
    args = [*SOURCE_ARGS, "--orders_topic", "mine", "--orders_brokers", "c:3", "--orders_log_level", "Fine"]
    assert config.resolve(args).to_tuple() == ("kafka", "orders", "mine", [("c", "3")], "Fine", decode)


def test_a_default_kafka_sink_has_the_originals_form():
    assert wallaroo.DefaultKafkaSinkCLIParser(encode).to_tuple() == ("kafka-internal", "kafka_sink", encode)


def test_a_default_kafka_sink_is_resolved_from_the_command_line():
    config = wallaroo.DefaultKafkaSinkCLIParser(encode).resolve(SINK_ARGS)
    assert config == wallaroo.KafkaSinkConfig("alerts", BROKERS, "Error", 7, 9, encode)


def test_a_default_kafka_sink_reads_options_of_its_own_name():
    config = wallaroo.DefaultKafkaSinkCLIParser(encode, "out").resolve(["app", "--out_topic", "mine"])
    assert config == wallaroo.KafkaSinkConfig("mine", encoder=encode)


@pytest.mark.parametrize(
    "config",
    [
        wallaroo.TCPSourceConfig("in", "localhost", "7010", decode),
        wallaroo.GenSourceConfig("numbers", Numbers()),
        wallaroo.DefaultKafkaSourceCLIParser(decode, "in"),
        wallaroo.CustomKafkaSourceCLIParser(SOURCE_ARGS, decode),
        wallaroo.DefaultKafkaSinkCLIParser(encode, "in"),
    ],
)
def test_a_configuration_does_not_change(config):
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"


@pytest.mark.parametrize(
    "config",
    [
        wallaroo.CustomKafkaSourceCLIParser(SOURCE_ARGS, decode),
        wallaroo.CustomKafkaSinkCLIParser(SINK_ARGS, encode),
        wallaroo.TCPSinkConfig("localhost", "7002", encode),
    ],
)
def test_a_configuration_survives_serialization(config):
    assert wallaroo.deserialize(wallaroo.serialize(config)) == config
