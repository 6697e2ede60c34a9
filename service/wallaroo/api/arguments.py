"""Parsers of the options that applications read from `args`; options of other names are ignored."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

# (name, host, port), followed by the maximum size if one is given; without a name (host, port)
InputAddress = tuple[str, ...]
Address = tuple[str, str]
SourceOptions = tuple[str | None, str, list[Address], str]
SinkOptions = tuple[str, str, list[Address], str, int, int]

LOG_LEVELS = ("Fine", "Info", "Warn", "Error")
_DEFAULT_KAFKA_PORT = "9092"


def tcp_parse_input_addrs(args: Sequence[str]) -> list[InputAddress]:
    """Return the addresses of `--in Name@host:port[:max_size],...`, each a tuple of str, as Wallaroo does.

    Raises SystemExit(2) and prints the usage if the option is missing or malformed, as argparse does.

    Example:

    >>> wallaroo.tcp_parse_input_addrs(["app", "--in", "Words@localhost:7010,Votes@localhost:7011:1024"])
    [('Words', 'localhost', '7010'), ('Votes', 'localhost', '7011', '1024')]
    """
    return _addresses(["-i", "--in"], _input_address, args)


def tcp_parse_output_addrs(args: Sequence[str]) -> list[Address]:
    """Return the addresses of `--out host:port,...`, each a pair of str, as Wallaroo does.

    Raises SystemExit(2) and prints the usage if the option is missing or malformed, as argparse does.

    Example:

    >>> wallaroo.tcp_parse_output_addrs(["app", "--out", "localhost:7002"])
    [('localhost', '7002')]
    """
    return _addresses(["-o", "--out"], _output_address, args)


def kafka_parse_source_options(args: Sequence[str]) -> SourceOptions:
    """Return `(name, topic, [(host, port)], log_level)` of the options `--kafka_source_...`.

    The options end in `name`, `topic`, `brokers` and `log_level`; none is required. Port 9092 is the
    default, and without brokers the list is `[("", "9092")]`, as in Wallaroo.

    Raises SystemExit(2) and prints the usage if an option is malformed.

    Example:

    >>> args = ["app", "--kafka_source_topic", "words", "--kafka_source_brokers", "localhost"]
    >>> wallaroo.kafka_parse_source_options(args)
    (None, 'words', [('localhost', '9092')], 'Warn')
    """
    parser = _kafka_parser("kafka_source")
    parser.add_argument("--kafka_source_name", dest="name")
    options = _known(parser, args)
    return options.name, options.topic, options.brokers, options.log_level


def kafka_parse_sink_options(args: Sequence[str]) -> SinkOptions:
    """Return `("", topic, [(host, port)], log_level, buffer_ms, max_size)` of `--kafka_sink_...`.

    The options end in `topic`, `brokers`, `log_level`, `max_produce_buffer_ms` (milliseconds) and
    `max_message_size` (bytes); none is required. Defaults are Wallaroo's.

    Raises SystemExit(2) and prints the usage if an option is malformed.

    Example:

    >>> wallaroo.kafka_parse_sink_options(["app", "--kafka_sink_topic", "alerts"])
    ('', 'alerts', [('', '9092')], 'Warn', 0, 100000)
    """
    return kafka_sink_options("kafka_sink", args)


def kafka_source_options(name: str, args: Sequence[str]) -> SourceOptions:
    """Return `(name, topic, [(host, port)], log_level)` of the options `--{name}_...`."""
    options = _known(_kafka_parser(name), args)
    return name, options.topic, options.brokers, options.log_level


def kafka_sink_options(name: str, args: Sequence[str]) -> SinkOptions:
    """Return `("", topic, [(host, port)], log_level, buffer_ms, max_size)` of `--{name}_...`."""
    parser = _kafka_parser(name)
    parser.add_argument(f"--{name}_max_produce_buffer_ms", dest="buffer_ms", type=int, default=0)
    parser.add_argument(f"--{name}_max_message_size", dest="max_size", type=int, default=100_000)
    options = _known(parser, args)
    return "", options.topic, options.brokers, options.log_level, options.buffer_ms, options.max_size


def broker_list(brokers: Iterable[Address] | None) -> list[Address]:
    """Return the brokers of a source or sink as the parsers do."""
    return [("", _DEFAULT_KAFKA_PORT)] if brokers is None else list(brokers)


def _kafka_parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wallaroo")
    parser.add_argument(f"--{name}_topic", dest="topic", default="")
    parser.add_argument(f"--{name}_brokers", dest="brokers", type=_brokers, default="")
    parser.add_argument(f"--{name}_log_level", dest="log_level", choices=LOG_LEVELS, default="Warn")
    return parser


def _known(parser: argparse.ArgumentParser, args: Sequence[str]) -> argparse.Namespace:
    return parser.parse_known_args(list(args))[0]


def _addresses(options: list[str], parse: Callable[[str], Any], args: Sequence[str]) -> list[Any]:
    def parse_all(text: str) -> list[Any]:
        return [parse(item) for item in text.split(",")]

    parser = argparse.ArgumentParser(prog="wallaroo")
    parser.add_argument(*options, dest="addresses", required=True, type=parse_all)
    return list(_known(parser, args).addresses)


def _input_address(item: str) -> InputAddress:
    name, at, address = item.rpartition("@")
    parts = tuple(address.split(":"))
    if len(parts) not in (2, 3) or not all(parts) or (at and not name):
        raise argparse.ArgumentTypeError(f"{item!r} is not Name@host:port or Name@host:port:max_size")
    return (name, *parts) if at else parts


def _output_address(item: str) -> Address:
    host, _, port = item.partition(":")
    if not host or not port or ":" in port:
        raise argparse.ArgumentTypeError(f"{item!r} is not host:port")
    return host, port


def _brokers(text: str) -> list[Address]:
    pairs = (item.strip().partition(":") for item in text.split(","))
    return [(host, port or _DEFAULT_KAFKA_PORT) for host, _, port in pairs]
