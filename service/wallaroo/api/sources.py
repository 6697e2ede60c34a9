"""Where messages come from: TCP, a generator, or a Kafka topic."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic, cast

from wallaroo.api import checks
from wallaroo.api.arguments import Address, broker_list, kafka_parse_source_options, kafka_source_options
from wallaroo.api.stages import BaseWrapped, Decoder, KeyExtractor, Out
from wallaroo.api.tls import ServerTLS
from wallaroo.errors import WallarooParameterError

# Returns the time of a decoded message, in nanoseconds since the Unix epoch.
EventTime = Callable[[Any], int]

# Clocks differ by a moment anyway: less would only refuse honest records.
_SHORTEST_FUTURE = 1_000_000_000

# The documented signature puts `decoder` behind parameters with defaults; None is refused.
_REQUIRED = cast(Decoder, None)


@dataclass(frozen=True, slots=True)
class TCPSourceConfig(Generic[Out]):
    """A source that listens on a TCP port; each frame is a header and a payload of the length it gives.

    `port` 0 takes any free port. `max_size` is the largest payload in bytes, `parallelism` the number of
    connections at a time of one worker; with `valid=False` nobody listens. `max_received_count` has no
    effect. Signature and defaults are Wallaroo's. With `tls`, senders speak TLS.

    Raises WallarooParameterError if a value is malformed or `decoder` is not decorated.

    Example:

    >>> @wallaroo.decoder(header_length=4, length_fmt=">I")
    ... def decode(bs):
    ...     return bs.decode()
    >>> lines = wallaroo.source("lines", wallaroo.TCPSourceConfig("lines", "0.0.0.0", 7010, decode))
    """

    name: str
    host: str
    port: str | int
    decoder: Decoder[Out]
    valid: bool = True
    parallelism: int = 10
    max_size: int = 16384
    max_received_count: int = 50
    _: KW_ONLY
    tls: ServerTLS | None = None

    def __post_init__(self) -> None:
        what = f"TCPSourceConfig({checks.check_name('TCPSourceConfig', self.name)!r})"
        if self.tls is not None:
            checks.check_instance(f"{what}: tls", self.tls, ServerTLS, "it needs a wallaroo.ServerTLS")
        checks.check_host(what, self.host)
        object.__setattr__(self, "port", checks.check_port(what, self.port))
        _check_decoder(what, self.decoder)
        for limit in ("parallelism", "max_size", "max_received_count"):
            number = checks.check_number_text(f"{what}: {limit}", getattr(self, limit), at_least=1)
            object.__setattr__(self, limit, number)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the source as the tuple that Wallaroo passes on."""
        address = ("tcp", self.name, self.host, self.port, self.decoder)
        return (*address, self.valid, self.parallelism, self.max_size, self.max_received_count)


@dataclass(frozen=True, slots=True)
class GenSourceConfig(Generic[Out]):
    """A source whose messages an object makes: `initial_value()`, then `apply(previous)` until None.

    One generator runs per application. It is stored together with its last value in the transaction that
    writes its messages; in Wallaroo each worker had one.

    Raises WallarooParameterError if `gen_instance` lacks one of the two methods.

    Example:

    >>> class Numbers:
    ...     def initial_value(self):
    ...         return 1
    ...     def apply(self, previous):
    ...         return previous + 1 if previous < 1000 else None
    >>> numbers = wallaroo.source("numbers", wallaroo.GenSourceConfig("numbers", Numbers()))
    """

    name: str
    gen_instance: Any

    def __post_init__(self) -> None:
        what = f"GenSourceConfig({checks.check_name('GenSourceConfig', self.name)!r})"
        for method in ("initial_value", "apply"):
            if isinstance(self.gen_instance, type) or not callable(getattr(self.gen_instance, method, None)):
                raise WallarooParameterError(
                    f"{what} needs an object with initial_value(self) and apply(self, previous), "
                    f"not {self.gen_instance!r}"
                )

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the source as the tuple that Wallaroo passes on."""
        return ("gen", self.name, self.gen_instance)


@dataclass(frozen=True, slots=True)
class KafkaSourceConfig(Generic[Out]):
    """A source that reads a Kafka topic.

    `brokers` is a list of (host, port), or None for the cluster of the settings; `log_level` has no effect.
    `partitioned_by` promises that the record keys are those of this extractor, so that a `key_by` with it
    needs no repartition topic. `event_time` is a function of the decoded message that returns nanoseconds
    since the Unix epoch; without it the record's timestamp counts. `max_future` is how many nanoseconds that
    may lie ahead of the wall clock, at least a second, for example `wallaroo.hours(48)`; None leaves it to
    the setting `max_future_ms`. Where windows lie ahead, a record beyond it becomes a dead letter.
    `carry_headers` names headers of the source's records that what they lead to in Kafka sinks has, too,
    behind every hop: for example `("traceparent",)`. The result of a window over time has none.

    Raises WallarooParameterError if a value is malformed or `decoder` is not decorated.

    Example:

    >>> @wallaroo.decoder()
    ... def decode(bs):
    ...     return bs.decode()
    >>> config = wallaroo.KafkaSourceConfig("transactions", [("localhost", "9092")], decoder=decode)
    >>> transactions = wallaroo.source("transactions", config)
    """

    topic: str
    brokers: Sequence[Address] | None = None
    log_level: str = "Warn"
    decoder: Decoder[Out] = _REQUIRED
    _: KW_ONLY
    name: str | None = None
    partitioned_by: KeyExtractor[Out] | None = None
    event_time: Callable[[Out], int] | None = None
    max_future: int | None = None
    carry_headers: Sequence[str] = ()

    def __post_init__(self) -> None:
        what = f"KafkaSourceConfig({self.topic!r})"
        checks.check_topic(what, self.topic)
        checks.check_log_level(what, self.log_level)
        _check_decoder(what, self.decoder)
        _check_promises(what, self.partitioned_by, self.event_time, self.max_future)
        object.__setattr__(self, "brokers", checks.normal_brokers(what, self.brokers))
        object.__setattr__(self, "carry_headers", _header_names(what, self.carry_headers))

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the source as the tuple that Wallaroo passes on."""
        brokers = broker_list(self.brokers)
        return ("kafka", self.name, self.topic, brokers, self.log_level, self.decoder)


class CustomKafkaSourceCLIParser(KafkaSourceConfig[Out]):
    """A Kafka source that reads `--kafka_source_topic`, `_brokers` and `_log_level` from `args` at once.

    Raises WallarooParameterError if there is no topic, SystemExit(2) if an option is malformed.
    """

    __slots__ = ()

    def __init__(
        self,
        args: Sequence[str],
        decoder: Decoder[Out],
        *,
        partitioned_by: KeyExtractor[Out] | None = None,
        event_time: Callable[[Out], int] | None = None,
        max_future: int | None = None,
        carry_headers: Sequence[str] = (),
    ) -> None:
        name, topic, brokers, log_level = kafka_parse_source_options(args)
        checks.check_topic("CustomKafkaSourceCLIParser", topic, "--kafka_source_topic")
        super().__init__(
            topic,
            brokers,
            log_level,
            decoder,
            name=name,
            partitioned_by=partitioned_by,
            event_time=event_time,
            max_future=max_future,
            carry_headers=carry_headers,
        )


@dataclass(frozen=True, slots=True)
class DefaultKafkaSourceCLIParser(Generic[Out]):
    """A Kafka source that reads `--{name}_topic`, `_brokers` and `_log_level` when the application starts.

    Raises WallarooParameterError if `decoder` is not decorated.

    Example:

    >>> @wallaroo.decoder()
    ... def decode(bs):
    ...     return bs.decode()
    >>> config = wallaroo.DefaultKafkaSourceCLIParser(decode)
    >>> config.resolve(["app", "--kafka_source_topic", "transactions"]).topic
    'transactions'
    """

    decoder: Decoder[Out]
    name: str = "kafka_source"
    _: KW_ONLY
    partitioned_by: KeyExtractor[Out] | None = None
    event_time: Callable[[Out], int] | None = None
    max_future: int | None = None
    carry_headers: Sequence[str] = ()

    def __post_init__(self) -> None:
        what = f"DefaultKafkaSourceCLIParser({checks.check_name('DefaultKafkaSourceCLIParser', self.name)!r})"
        _check_decoder(what, self.decoder)
        _check_promises(what, self.partitioned_by, self.event_time, self.max_future)
        object.__setattr__(self, "carry_headers", _header_names(what, self.carry_headers))

    def resolve(self, args: Sequence[str]) -> KafkaSourceConfig[Out]:
        """Return the source that the command line describes.

        Raises WallarooParameterError if there is no topic, SystemExit(2) if an option is malformed.
        """
        name, topic, brokers, log_level = kafka_source_options(self.name, args)
        checks.check_topic(f"DefaultKafkaSourceCLIParser({name!r})", topic, f"--{name}_topic")
        return KafkaSourceConfig(
            topic,
            brokers,
            log_level,
            self.decoder,
            name=name,
            partitioned_by=self.partitioned_by,
            event_time=self.event_time,
            max_future=self.max_future,
            carry_headers=self.carry_headers,
        )

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the source as the tuple that Wallaroo passes on."""
        return ("kafka-internal", self.name, self.decoder)


SourceConfig = TCPSourceConfig | GenSourceConfig | KafkaSourceConfig | DefaultKafkaSourceCLIParser


def _check_decoder(what: str, decoder: object) -> None:
    advice = "it needs a function decorated with @wallaroo.decoder(), or wallaroo.json_decoder(Model)"
    checks.check_instance(f"{what}: the decoder", decoder, Decoder, advice)


def _check_promises(what: str, partitioned_by: object, event_time: object, max_future: object) -> None:
    if partitioned_by is not None:
        advice = "it needs a function decorated with @wallaroo.key_extractor"
        checks.check_instance(f"{what}: partitioned_by", partitioned_by, KeyExtractor, advice)
    if event_time is not None and (not callable(event_time) or isinstance(event_time, BaseWrapped)):
        raise WallarooParameterError(
            f"{what}: event_time must be a plain function of the decoded message that returns nanoseconds "
            f"since the Unix epoch, not {event_time!r}"
        )
    if max_future is not None:
        advice = "write whole nanoseconds, for example wallaroo.hours(48)"
        checks.check_whole(f"{what}: max_future", max_future, _SHORTEST_FUTURE, advice)


def _header_names(what: str, names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(map(_is_name, names)):
        raise WallarooParameterError(
            f'{what}: carry_headers must be names of headers, for example ("traceparent",), not {names!r}'
        )
    return tuple(dict.fromkeys(names))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)
