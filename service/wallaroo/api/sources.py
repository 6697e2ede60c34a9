"""Where messages come from: TCP, a generator, or a Kafka topic."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

from wallaroo.api.arguments import Address, kafka_parse_source_options, kafka_source_options
from wallaroo.api.checks import check_instance, check_name, check_number_text
from wallaroo.api.kafka import (
    broker_list,
    check_host,
    check_log_level,
    check_port,
    check_topic,
    normal_brokers,
)
from wallaroo.api.stages import BaseWrapped, Decoder, KeyExtractor
from wallaroo.errors import WallarooParameterError

# A function of the decoded message: its time in nanoseconds since the Unix epoch.
EventTime = Callable[[Any], int]

# None, so that the positions of the documented signature hold; it is refused all the same.
_REQUIRED = cast(Decoder, None)


@dataclass(frozen=True, slots=True)
class TCPSourceConfig:
    """A TCP port that senders connect to; each frame is a header and that many bytes.

    `max_size` is the largest payload in bytes, `parallelism` the number of connections at a time.
    """

    name: str
    host: str
    port: str | int
    decoder: Decoder
    valid: bool = True
    parallelism: int = 10
    max_size: int = 16384
    max_received_count: int = 50

    def __post_init__(self) -> None:
        what = f"TCPSourceConfig({check_name('TCPSourceConfig', self.name)!r})"
        check_host(what, self.host)
        object.__setattr__(self, "port", check_port(what, self.port))
        _check_decoder(what, self.decoder)
        for limit in ("parallelism", "max_size", "max_received_count"):
            number = check_number_text(f"{what}: {limit}", getattr(self, limit), at_least=1)
            object.__setattr__(self, limit, number)

    def to_tuple(self) -> tuple[Any, ...]:
        """The original's form."""
        address = ("tcp", self.name, self.host, self.port, self.decoder)
        return (*address, self.valid, self.parallelism, self.max_size, self.max_received_count)


@dataclass(frozen=True, slots=True)
class GenSourceConfig:
    """A generator: an object with `initial_value()` and `apply(previous)`; None ends it."""

    name: str
    gen_instance: Any

    def __post_init__(self) -> None:
        what = f"GenSourceConfig({check_name('GenSourceConfig', self.name)!r})"
        for method in ("initial_value", "apply"):
            if isinstance(self.gen_instance, type) or not callable(getattr(self.gen_instance, method, None)):
                raise WallarooParameterError(
                    f"{what} needs an object with initial_value(self) and apply(self, previous), "
                    f"not {self.gen_instance!r}"
                )

    def to_tuple(self) -> tuple[Any, ...]:
        """The original's form."""
        return ("gen", self.name, self.gen_instance)


@dataclass(frozen=True, slots=True)
class KafkaSourceConfig:
    """A Kafka topic, decoded record by record.

    `brokers` is a list of (host, port), or None for the cluster of the settings. `partitioned_by`
    promises that the producers partition the topic by this extractor's key, which saves a hop.
    `event_time` is a function of the decoded message: nanoseconds since the Unix epoch; without it
    the record's own timestamp counts.
    """

    topic: str
    brokers: Sequence[Address] | None = None
    log_level: str = "Warn"
    decoder: Decoder = _REQUIRED
    _: KW_ONLY
    name: str | None = None
    partitioned_by: KeyExtractor | None = None
    event_time: EventTime | None = None

    def __post_init__(self) -> None:
        what = f"KafkaSourceConfig({self.topic!r})"
        check_topic(what, self.topic)
        check_log_level(what, self.log_level)
        _check_decoder(what, self.decoder)
        _check_promises(what, self.partitioned_by, self.event_time)
        object.__setattr__(self, "brokers", normal_brokers(what, self.brokers))

    def to_tuple(self) -> tuple[Any, ...]:
        """The original's form."""
        brokers = broker_list(self.brokers)
        return ("kafka", self.name, self.topic, brokers, self.log_level, self.decoder)


class CustomKafkaSourceCLIParser(KafkaSourceConfig):
    """A Kafka source read at once from the options `--kafka_source_...` of `args`."""

    __slots__ = ()

    def __init__(
        self,
        args: Sequence[str],
        decoder: Decoder,
        *,
        partitioned_by: KeyExtractor | None = None,
        event_time: EventTime | None = None,
    ) -> None:
        name, topic, brokers, log_level = kafka_parse_source_options(args)
        check_topic("CustomKafkaSourceCLIParser", topic, "--kafka_source_topic")
        super().__init__(
            topic,
            brokers,
            log_level,
            decoder,
            name=name,
            partitioned_by=partitioned_by,
            event_time=event_time,
        )


@dataclass(frozen=True, slots=True)
class DefaultKafkaSourceCLIParser:
    """A Kafka source whose options `--{name}_topic`, `_brokers` and `_log_level` are read at the start."""

    decoder: Decoder
    name: str = "kafka_source"
    _: KW_ONLY
    partitioned_by: KeyExtractor | None = None
    event_time: EventTime | None = None

    def __post_init__(self) -> None:
        what = f"DefaultKafkaSourceCLIParser({check_name('DefaultKafkaSourceCLIParser', self.name)!r})"
        _check_decoder(what, self.decoder)
        _check_promises(what, self.partitioned_by, self.event_time)

    def resolve(self, args: Sequence[str]) -> KafkaSourceConfig:
        """The source that the command line describes; WallarooParameterError where it names no topic."""
        name, topic, brokers, log_level = kafka_source_options(self.name, args)
        check_topic(f"DefaultKafkaSourceCLIParser({name!r})", topic, f"--{name}_topic")
        return KafkaSourceConfig(
            topic,
            brokers,
            log_level,
            self.decoder,
            name=name,
            partitioned_by=self.partitioned_by,
            event_time=self.event_time,
        )

    def to_tuple(self) -> tuple[Any, ...]:
        """The original's form."""
        return ("kafka-internal", self.name, self.decoder)


SourceConfig = TCPSourceConfig | GenSourceConfig | KafkaSourceConfig | DefaultKafkaSourceCLIParser


def _check_decoder(what: str, decoder: object) -> None:
    advice = "it needs a function decorated with @wallaroo.decoder(), or wallaroo.json_decoder(Model)"
    check_instance(f"{what}: the decoder", decoder, Decoder, advice)


def _check_promises(what: str, partitioned_by: object, event_time: object) -> None:
    if partitioned_by is not None:
        advice = "it needs a function decorated with @wallaroo.key_extractor"
        check_instance(f"{what}: partitioned_by", partitioned_by, KeyExtractor, advice)
    if event_time is not None and (not callable(event_time) or isinstance(event_time, BaseWrapped)):
        raise WallarooParameterError(
            f"{what}: event_time must be a plain function of the decoded message that returns nanoseconds "
            f"since the Unix epoch, not {event_time!r}"
        )
