"""The command line as applications read it: addresses and Kafka options out of `args`.

A missing or malformed option prints the usage and raises SystemExit(2), as argparse does; options
that are not asked for are left alone.
"""

import argparse
from collections.abc import Sequence

# (name, host, port), with the maximum size behind it where one is given; without a name (host, port)
InputAddress = tuple[str, ...]
Address = tuple[str, str]
SourceOptions = tuple[str | None, str, list[Address], str]
SinkOptions = tuple[str, str, list[Address], str, int, int]

LOG_LEVELS = ("Fine", "Info", "Warn", "Error")
_DEFAULT_KAFKA_PORT = "9092"


def tcp_parse_input_addrs(args: Sequence[str]) -> list[InputAddress]:
    """The addresses of `--in Name@host:port[:max_size],...`, each a tuple of str."""
    parser = argparse.ArgumentParser(prog="wallaroo")
    parser.add_argument("-i", "--in", dest="addresses", required=True, type=_input_addresses)
    addresses: list[InputAddress] = _known(parser, args).addresses
    return addresses


def tcp_parse_output_addrs(args: Sequence[str]) -> list[Address]:
    """The addresses of `--out host:port,...`, each a pair of str."""
    parser = argparse.ArgumentParser(prog="wallaroo")
    parser.add_argument("-o", "--out", dest="addresses", required=True, type=_output_addresses)
    addresses: list[Address] = _known(parser, args).addresses
    return addresses


def kafka_parse_source_options(args: Sequence[str]) -> SourceOptions:
    """`(name, topic, [(host, port)], log_level)` of the options `--kafka_source_...`."""
    parser = _kafka_parser("kafka_source")
    parser.add_argument("--kafka_source_name", dest="name")
    options = _known(parser, args)
    return options.name, options.topic, options.brokers, options.log_level


def kafka_parse_sink_options(args: Sequence[str]) -> SinkOptions:
    """`("", topic, [(host, port)], log_level, buffer_ms, max_size)` of the options `--kafka_sink_...`."""
    return kafka_sink_options("kafka_sink", args)


def kafka_source_options(name: str, args: Sequence[str]) -> SourceOptions:
    """`(name, topic, [(host, port)], log_level)` of the options `--{name}_...`."""
    options = _known(_kafka_parser(name), args)
    return name, options.topic, options.brokers, options.log_level


def kafka_sink_options(name: str, args: Sequence[str]) -> SinkOptions:
    """`("", topic, [(host, port)], log_level, buffer_ms, max_size)` of the options `--{name}_...`."""
    parser = _kafka_parser(name)
    parser.add_argument(f"--{name}_max_produce_buffer_ms", dest="buffer_ms", type=int, default=0)
    parser.add_argument(f"--{name}_max_message_size", dest="max_size", type=int, default=100_000)
    options = _known(parser, args)
    return "", options.topic, options.brokers, options.log_level, options.buffer_ms, options.max_size


def _kafka_parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wallaroo")
    parser.add_argument(f"--{name}_topic", dest="topic", default="")
    parser.add_argument(f"--{name}_brokers", dest="brokers", type=_brokers, default="")
    parser.add_argument(f"--{name}_log_level", dest="log_level", choices=LOG_LEVELS, default="Warn")
    return parser


def _known(parser: argparse.ArgumentParser, args: Sequence[str]) -> argparse.Namespace:
    return parser.parse_known_args(list(args))[0]


def _input_addresses(text: str) -> list[InputAddress]:
    return [_input_address(item) for item in text.split(",")]


def _input_address(item: str) -> InputAddress:
    name, at, address = item.rpartition("@")
    parts = tuple(address.split(":"))
    if len(parts) not in (2, 3) or not all(parts) or (at and not name):
        raise argparse.ArgumentTypeError(f"{item!r} is not Name@host:port or Name@host:port:max_size")
    return (name, *parts) if at else parts


def _output_addresses(text: str) -> list[Address]:
    return [_output_address(item) for item in text.split(",")]


def _output_address(item: str) -> Address:
    host, _, port = item.partition(":")
    if not host or not port or ":" in port:
        raise argparse.ArgumentTypeError(f"{item!r} is not host:port")
    return host, port


def _brokers(text: str) -> list[Address]:
    pairs = (item.strip().partition(":") for item in text.split(","))
    return [(host, port or _DEFAULT_KAFKA_PORT) for host, _, port in pairs]
