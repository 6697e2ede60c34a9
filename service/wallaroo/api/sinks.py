"""Where messages go: a TCP receiver or a Kafka topic."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

from wallaroo.api.arguments import Address, kafka_parse_sink_options, kafka_sink_options
from wallaroo.api.checks import check_instance, check_name, check_whole
from wallaroo.api.kafka import (
    broker_list,
    check_host,
    check_log_level,
    check_port,
    check_topic,
    normal_brokers,
)
from wallaroo.api.stages import Encoder

# None, so that the positions of the documented signature hold; it is refused all the same.
_REQUIRED = cast(Encoder, None)


@dataclass(frozen=True, slots=True)
class TCPSinkConfig:
    """A TCP receiver; the encoder's bytes are written as they are.

    `name` names the outbox topic in which messages wait for the receiver.
    """

    host: str
    port: str | int
    encoder: Encoder
    _: KW_ONLY
    name: str | None = None

    def __post_init__(self) -> None:
        what = f"TCPSinkConfig({self.host!r}, {self.port!r})"
        check_host(what, self.host)
        object.__setattr__(self, "port", check_port(what, self.port))
        _check_encoder(what, self.encoder)
        if self.name is not None:
            check_name(what, self.name)

    def to_tuple(self) -> tuple[Any, ...]:
        """The original's form."""
        return ("tcp", "", self.host, self.port, self.encoder)


@dataclass(frozen=True, slots=True)
class KafkaSinkConfig:
    """A Kafka topic; the encoder returns `value`, `(value, key)` or `(value, key, partition)`.

    `brokers` is a list of (host, port), or None for the application's own cluster; on another cluster, a
    record arrives at least once, by way of an outbox topic. `max_message_size` is in bytes.
    """

    topic: str
    brokers: Sequence[Address] | None = None
    log_level: str = "Warn"
    max_produce_buffer_ms: int = 0
    max_message_size: int = 100000
    encoder: Encoder = _REQUIRED

    def __post_init__(self) -> None:
        what = f"KafkaSinkConfig({self.topic!r})"
        check_topic(what, self.topic)
        check_log_level(what, self.log_level)
        check_whole(f"{what}: max_produce_buffer_ms", self.max_produce_buffer_ms, at_least=0)
        check_whole(f"{what}: max_message_size", self.max_message_size, at_least=1)
        _check_encoder(what, self.encoder)
        object.__setattr__(self, "brokers", normal_brokers(what, self.brokers))

    def to_tuple(self) -> tuple[Any, ...]:
        """The original's form."""
        limits = (self.max_produce_buffer_ms, self.max_message_size)
        return ("kafka", "", self.topic, broker_list(self.brokers), self.log_level, *limits, self.encoder)


class CustomKafkaSinkCLIParser(KafkaSinkConfig):
    """A Kafka sink read at once from the options `--kafka_sink_...` of `args`."""

    __slots__ = ()

    def __init__(self, args: Sequence[str], encoder: Encoder) -> None:
        _, topic, brokers, log_level, buffer_ms, max_size = kafka_parse_sink_options(args)
        check_topic("CustomKafkaSinkCLIParser", topic, "--kafka_sink_topic")
        super().__init__(topic, brokers, log_level, buffer_ms, max_size, encoder)


@dataclass(frozen=True, slots=True)
class DefaultKafkaSinkCLIParser:
    """A Kafka sink whose options `--{name}_topic`, `_brokers` and so on are read at the start."""

    encoder: Encoder
    name: str = "kafka_sink"

    def __post_init__(self) -> None:
        what = f"DefaultKafkaSinkCLIParser({check_name('DefaultKafkaSinkCLIParser', self.name)!r})"
        _check_encoder(what, self.encoder)

    def resolve(self, args: Sequence[str]) -> KafkaSinkConfig:
        """The sink that the command line describes; WallarooParameterError where it names no topic."""
        _, topic, brokers, log_level, buffer_ms, max_size = kafka_sink_options(self.name, args)
        check_topic(f"DefaultKafkaSinkCLIParser({self.name!r})", topic, f"--{self.name}_topic")
        return KafkaSinkConfig(topic, brokers, log_level, buffer_ms, max_size, self.encoder)

    def to_tuple(self) -> tuple[Any, ...]:
        """The original's form."""
        return ("kafka-internal", self.name, self.encoder)


SinkConfig = TCPSinkConfig | KafkaSinkConfig | DefaultKafkaSinkCLIParser


def _check_encoder(what: str, encoder: object) -> None:
    advice = "it needs a function decorated with @wallaroo.encoder, or wallaroo.json_encoder"
    check_instance(f"{what}: the encoder", encoder, Encoder, advice)
