"""What the configurations of sources and sinks refuse, and how they say so."""

import pytest

import wallaroo
from tests.samples import Numbers, decode, encode, look, plain, user


def refused(match):
    return pytest.raises(wallaroo.WallarooParameterError, match=match)


@pytest.mark.parametrize(
    "configure",
    [
        lambda decoder: wallaroo.TCPSourceConfig("in", "localhost", "7010", decoder),
        lambda decoder: wallaroo.KafkaSourceConfig("topic", decoder=decoder),
        wallaroo.DefaultKafkaSourceCLIParser,
        lambda decoder: wallaroo.CustomKafkaSourceCLIParser(["--kafka_source_topic", "t"], decoder),
    ],
)
@pytest.mark.parametrize("decoder", [None, plain, encode])
def test_a_source_needs_a_decoder(configure, decoder):
    with refused("the decoder cannot be .*@wallaroo.decoder"):
        configure(decoder)


@pytest.mark.parametrize(
    "configure",
    [
        lambda encoder: wallaroo.TCPSinkConfig("localhost", "7010", encoder),
        lambda encoder: wallaroo.KafkaSinkConfig("topic", encoder=encoder),
        wallaroo.DefaultKafkaSinkCLIParser,
        lambda encoder: wallaroo.CustomKafkaSinkCLIParser(["--kafka_sink_topic", "t"], encoder),
    ],
)
@pytest.mark.parametrize("encoder", [None, plain, decode])
def test_a_sink_needs_an_encoder(configure, encoder):
    with refused("the encoder cannot be .*@wallaroo.encoder"):
        configure(encoder)


@pytest.mark.parametrize("topic", [None, "", "a b", "a/b", "ä", ".", "..", "x" * 250, 7])
def test_a_topic_has_a_name_that_kafka_allows(topic):
    with refused("is no name for a topic"):
        wallaroo.KafkaSourceConfig(topic, decoder=decode)
    with refused("is no name for a topic"):
        wallaroo.KafkaSinkConfig(topic, encoder=encode)


@pytest.mark.parametrize("brokers", ["localhost:9092", ["localhost:9092"], [("a", 1, 2)], 7, [None]])
def test_brokers_are_pairs(brokers):
    with refused("brokers must be a list such as"):
        wallaroo.KafkaSinkConfig("topic", brokers, encoder=encode)


def test_a_broker_among_others_needs_a_host():
    with refused("the host must be a str"):
        wallaroo.KafkaSourceConfig("topic", [("a", 9092), ("", 9092)], decoder=decode)


@pytest.mark.parametrize("log_level", ["warn", "", None, "Debug"])
def test_a_log_level_is_one_of_four(log_level):
    with refused("log_level must be one of Fine, Info, Warn, Error"):
        wallaroo.KafkaSourceConfig("topic", None, log_level, decode)
    with refused("log_level must be one of Fine, Info, Warn, Error"):
        wallaroo.KafkaSinkConfig("topic", None, log_level, encoder=encode)


@pytest.mark.parametrize("port", ["", "70x", "-1", -1, 65536, "65536", 7.0, None, True, "７０"])
def test_a_port_is_a_number_up_to_65535(port):
    with refused("the port must be"):
        wallaroo.TCPSinkConfig("localhost", port, encode)


@pytest.mark.parametrize("host", ["", " ", None, 7])
def test_a_host_is_a_name(host):
    with refused("the host must be a str"):
        wallaroo.TCPSourceConfig("in", host, "7010", decode)
    with refused("the host must be a str"):
        wallaroo.TCPSinkConfig(host, "7010", encode)


@pytest.mark.parametrize("limit", ["parallelism", "max_size", "max_received_count"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "many", None])
def test_a_tcp_limit_is_a_positive_int(limit, value):
    with refused(f"{limit} must be an int of at least 1"):
        wallaroo.TCPSourceConfig("in", "localhost", "7010", decode, **{limit: value})


@pytest.mark.parametrize(
    ("limit", "value"), [("max_produce_buffer_ms", -1), ("max_message_size", 0), ("max_message_size", "9")]
)
def test_a_kafka_sink_limit_is_an_int(limit, value):
    with refused(f"{limit} must be an int"):
        wallaroo.KafkaSinkConfig("topic", encoder=encode, **{limit: value})


@pytest.mark.parametrize("generator", [None, Numbers, object(), plain])
def test_a_generator_has_its_two_methods(generator):
    with refused(r"needs an object with initial_value\(self\) and apply\(self, previous\)"):
        wallaroo.GenSourceConfig("numbers", generator)


@pytest.mark.parametrize(
    "configure",
    [
        lambda name: wallaroo.TCPSourceConfig(name, "localhost", "7010", decode),
        lambda name: wallaroo.GenSourceConfig(name, Numbers()),
        lambda name: wallaroo.DefaultKafkaSourceCLIParser(decode, name),
        lambda name: wallaroo.DefaultKafkaSinkCLIParser(encode, name),
        lambda name: wallaroo.TCPSinkConfig("localhost", "7010", encode, name=name),
    ],
)
def test_a_blank_name_is_refused(configure):
    with refused("needs a name"):
        configure("")


@pytest.mark.parametrize("promise", [plain, look, "user"])
def test_only_a_key_extractor_tells_how_a_topic_is_partitioned(promise):
    with refused("partitioned_by cannot be .*@wallaroo.key_extractor"):
        wallaroo.KafkaSourceConfig("topic", decoder=decode, partitioned_by=promise)
    with refused("partitioned_by cannot be .*@wallaroo.key_extractor"):
        wallaroo.DefaultKafkaSourceCLIParser(decode, partitioned_by=promise)


@pytest.mark.parametrize("event_time", ["timestamp", 7, look, user])
def test_event_time_is_a_plain_function(event_time):
    with refused("event_time must be a plain function"):
        wallaroo.KafkaSourceConfig("topic", decoder=decode, event_time=event_time)


@pytest.mark.parametrize(
    ("read", "option"),
    [
        (lambda: wallaroo.CustomKafkaSourceCLIParser(["app"], decode), "--kafka_source_topic"),
        (lambda: wallaroo.CustomKafkaSinkCLIParser(["app"], encode), "--kafka_sink_topic"),
        (lambda: wallaroo.DefaultKafkaSourceCLIParser(decode).resolve(["app"]), "--kafka_source_topic"),
        (lambda: wallaroo.DefaultKafkaSinkCLIParser(encode, "out").resolve(["app"]), "--out_topic"),
    ],
)
def test_a_command_line_without_a_topic_is_told_the_option(read, option):
    with refused(f"has no topic; give it with {option} TOPIC"):
        read()
