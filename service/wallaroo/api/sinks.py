"""Where messages go: a TCP receiver or a Kafka topic."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic, cast

from wallaroo.api import checks
from wallaroo.api.arguments import Address, broker_list, kafka_parse_sink_options, kafka_sink_options
from wallaroo.api.stages import Encoder, In
from wallaroo.api.tls import ClientTLS

# The documented signature puts `encoder` behind parameters with defaults; None is refused.
_REQUIRED = cast(Encoder, None)


@dataclass(frozen=True, slots=True)
class TCPSinkConfig(Generic[In]):
    """A sink that connects to a TCP receiver and writes the encoder's bytes as they are.

    Messages wait for the receiver in an outbox topic named after `name`, or after the encoder; each arrives
    at least once. With `tls` they are encrypted, and go to nobody but the receiver of that name.

    Raises WallarooParameterError if a value is malformed or `encoder` is not decorated.

    Example:

    >>> @wallaroo.encoder
    ... def encode(word):
    ...     return f"{word}\\n"
    >>> receiver = wallaroo.TCPSinkConfig("localhost", 7002, encode, name="words")
    """

    host: str
    port: str | int
    encoder: Encoder[In]
    _: KW_ONLY
    name: str | None = None
    tls: ClientTLS | None = None

    def __post_init__(self) -> None:
        what = f"TCPSinkConfig({self.host!r}, {self.port!r})"
        if self.tls is not None:
            checks.check_instance(f"{what}: tls", self.tls, ClientTLS, "it needs a wallaroo.ClientTLS")
        checks.check_host(what, self.host)
        object.__setattr__(self, "port", checks.check_port(what, self.port))
        _check_encoder(what, self.encoder)
        if self.name is not None:
            checks.check_name(what, self.name)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the sink as the tuple that Wallaroo passes on."""
        return ("tcp", "", self.host, self.port, self.encoder)


@dataclass(frozen=True, slots=True)
class KafkaSinkConfig(Generic[In]):
    """A sink that writes to a Kafka topic.

    The encoder returns `value`, `(value, key)` or `(value, key, partition)`. `brokers` is a list of (host,
    port), or None for the application's own cluster, where each record is written exactly once; to another
    cluster records go through an outbox topic, at least once. `log_level`, `max_produce_buffer_ms` and
    `max_message_size` (bytes) are Wallaroo's and have no effect.

    Raises WallarooParameterError if a value is malformed or `encoder` is not decorated.

    Example:

    >>> @wallaroo.encoder
    ... def encode(alert):
    ...     return alert["text"], alert["user"]
    >>> alerts = wallaroo.KafkaSinkConfig("alerts", encoder=encode)
    """

    topic: str
    brokers: Sequence[Address] | None = None
    log_level: str = "Warn"
    max_produce_buffer_ms: int = 0
    max_message_size: int = 100000
    encoder: Encoder[In] = _REQUIRED

    def __post_init__(self) -> None:
        what = f"KafkaSinkConfig({self.topic!r})"
        checks.check_topic(what, self.topic)
        checks.check_log_level(what, self.log_level)
        checks.check_whole(f"{what}: max_produce_buffer_ms", self.max_produce_buffer_ms, at_least=0)
        checks.check_whole(f"{what}: max_message_size", self.max_message_size, at_least=1)
        _check_encoder(what, self.encoder)
        object.__setattr__(self, "brokers", checks.normal_brokers(what, self.brokers))

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the sink as the tuple that Wallaroo passes on."""
        limits = (self.max_produce_buffer_ms, self.max_message_size)
        return ("kafka", "", self.topic, broker_list(self.brokers), self.log_level, *limits, self.encoder)


class CustomKafkaSinkCLIParser(KafkaSinkConfig[In]):
    """A Kafka sink that reads the options of `kafka_parse_sink_options` from `args` at once.

    Raises WallarooParameterError if there is no topic, SystemExit(2) if an option is malformed.
    """

    __slots__ = ()

    def __init__(self, args: Sequence[str], encoder: Encoder[In]) -> None:
        _, topic, brokers, log_level, buffer_ms, max_size = kafka_parse_sink_options(args)
        checks.check_topic("CustomKafkaSinkCLIParser", topic, "--kafka_sink_topic")
        super().__init__(topic, brokers, log_level, buffer_ms, max_size, encoder)


@dataclass(frozen=True, slots=True)
class DefaultKafkaSinkCLIParser(Generic[In]):
    """A Kafka sink that reads `--{name}_topic`, `_brokers` and so on when the application starts.

    Raises WallarooParameterError if `encoder` is not decorated.

    Example:

    >>> @wallaroo.encoder
    ... def encode(alert):
    ...     return alert["text"]
    >>> config = wallaroo.DefaultKafkaSinkCLIParser(encode)
    >>> config.resolve(["app", "--kafka_sink_topic", "alerts"]).topic
    'alerts'
    """

    encoder: Encoder[In]
    name: str = "kafka_sink"

    def __post_init__(self) -> None:
        what = f"DefaultKafkaSinkCLIParser({checks.check_name('DefaultKafkaSinkCLIParser', self.name)!r})"
        _check_encoder(what, self.encoder)

    def resolve(self, args: Sequence[str]) -> KafkaSinkConfig[In]:
        """Return the sink that the command line describes.

        Raises WallarooParameterError if there is no topic, SystemExit(2) if an option is malformed.
        """
        _, topic, brokers, log_level, buffer_ms, max_size = kafka_sink_options(self.name, args)
        checks.check_topic(f"DefaultKafkaSinkCLIParser({self.name!r})", topic, f"--{self.name}_topic")
        return KafkaSinkConfig(topic, brokers, log_level, buffer_ms, max_size, self.encoder)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the sink as the tuple that Wallaroo passes on."""
        return ("kafka-internal", self.name, self.encoder)


SinkConfig = TCPSinkConfig | KafkaSinkConfig | DefaultKafkaSinkCLIParser


def _check_encoder(what: str, encoder: object) -> None:
    advice = "it needs a function decorated with @wallaroo.encoder, or wallaroo.json_encoder"
    checks.check_instance(f"{what}: the encoder", encoder, Encoder, advice)
