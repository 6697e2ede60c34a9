"""Contract 1.7: the argument parsers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo


@pytest.mark.parametrize("flag", ["--in", "-i"])
def test_input_addresses_have_a_name_a_host_and_a_port(flag):
    args = ["app", flag, "Orders@127.0.0.1:7010,Market Data@localhost:7011"]
    assert wallaroo.tcp_parse_input_addrs(args) == [
        ("Orders", "127.0.0.1", "7010"),
        ("Market Data", "localhost", "7011"),
    ]


def test_an_input_address_may_limit_the_size():
    assert wallaroo.tcp_parse_input_addrs(["--in", "a@h:1:2048"]) == [("a", "h", "1", "2048")]


def test_an_input_address_without_a_name_is_a_pair():
    assert wallaroo.tcp_parse_input_addrs(["--in", "127.0.0.1:7010"]) == [("127.0.0.1", "7010")]


@pytest.mark.parametrize("flag", ["--out", "-o", "--ou"])
def test_output_addresses_are_pairs_of_text(flag):
    args = ["app", flag, "127.0.0.1:7002,localhost:7003", "--other", "x"]
    assert wallaroo.tcp_parse_output_addrs(args) == [("127.0.0.1", "7002"), ("localhost", "7003")]


@pytest.mark.parametrize("parse", [wallaroo.tcp_parse_input_addrs, wallaroo.tcp_parse_output_addrs])
def test_a_missing_address_ends_with_the_usage(parse, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["app", "--kafka_source_topic", "t"])
    assert ended.value.code == 2
    assert "usage: wallaroo" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["localhost", ":7010", "localhost:", "@h:1", "a@h:1:2:3", "a@h:1,", ""])
def test_a_malformed_input_address_ends_with_the_usage(address, capsys):
    with pytest.raises(SystemExit) as ended:
        wallaroo.tcp_parse_input_addrs(["--in", address])
    assert ended.value.code == 2
    assert "is not Name@host:port" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["localhost", ":7010", "localhost:", "a:1:2", "a:1,", ""])
def test_a_malformed_output_address_ends_with_the_usage(address, capsys):
    with pytest.raises(SystemExit) as ended:
        wallaroo.tcp_parse_output_addrs(["--out", address])
    assert ended.value.code == 2
    assert "is not host:port" in capsys.readouterr().err


def test_kafka_source_options_have_the_originals_defaults():
    assert wallaroo.kafka_parse_source_options(["app"]) == (None, "", [("", "9092")], "Warn")


def test_kafka_source_options_come_in_the_documented_order():
    args = [
        "app",
        "--kafka_source_name",
        "n",
        "--kafka_source_topic",
        "t",
        "--kafka_source_log_level",
        "Fine",
    ]
    assert wallaroo.kafka_parse_source_options([*args, "--kafka_source_brokers", "a,b:2"]) == (
        "n",
        "t",
        [("a", "9092"), ("b", "2")],
        "Fine",
    )


def test_kafka_sink_options_have_the_originals_defaults():
    assert wallaroo.kafka_parse_sink_options(["app"]) == ("", "", [("", "9092")], "Warn", 0, 100000)


def test_kafka_sink_options_come_in_the_documented_order():
    args = ["--kafka_sink_topic=t", "--kafka_sink_brokers=a:1", "--kafka_sink_log_level=Error"]
    limits = ["--kafka_sink_max_produce_buffer_ms=5", "--kafka_sink_max_message_size=6"]
    assert wallaroo.kafka_parse_sink_options([*args, *limits]) == ("", "t", [("a", "1")], "Error", 5, 6)


@pytest.mark.parametrize(
    ("parse", "option", "value"),
    [
        (wallaroo.kafka_parse_source_options, "--kafka_source_log_level", "Loud"),
        (wallaroo.kafka_parse_sink_options, "--kafka_sink_log_level", "Loud"),
        (wallaroo.kafka_parse_sink_options, "--kafka_sink_max_message_size", "big"),
    ],
)
def test_a_malformed_kafka_option_ends_with_the_usage(parse, option, value, capsys):
    with pytest.raises(SystemExit) as ended:
        parse([option, value])
    assert ended.value.code == 2
    assert option in capsys.readouterr().err


def test_the_given_arguments_are_left_as_they_are():
    args = ["app", "--out", "h:1", "--mine"]
    wallaroo.tcp_parse_output_addrs(args)
    assert args == ["app", "--out", "h:1", "--mine"]


NAMES = st.text(st.characters(codec="ascii", exclude_characters=",@:\x00-"), min_size=1)


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 65535).map(str)), min_size=1))
def test_named_addresses_come_back_as_they_went(addresses):
    text = ",".join(f"{name}@{host}:{port}" for name, host, port in addresses)
    assert wallaroo.tcp_parse_input_addrs([f"--in={text}"]) == addresses
