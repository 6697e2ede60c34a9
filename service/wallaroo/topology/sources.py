"""Compile a declared source: the topic to read, and the ingest or generator that writes it, if any."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from wallaroo.api.codecs import JsonDecoder
from wallaroo.api.sources import (
    DefaultKafkaSourceCLIParser,
    GenSourceConfig,
    KafkaSourceConfig,
    TCPSourceConfig,
)
from wallaroo.api.stages import Decoder, KeyExtractor
from wallaroo.api.steps import Source
from wallaroo.errors import TopologyError
from wallaroo.topology.model import Generator, Ingest, Input
from wallaroo.topology.names import Names, slug

_EVERY_HOST = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, slots=True)
class CompiledSource:
    """The beginning of a branch; `writer` writes its topic, unless other applications do."""

    name: str
    input: Input
    partitioned_by: KeyExtractor | None = None
    writer: Ingest | Generator | None = None


def compile_source(source: Source, names: Names, args: Sequence[str]) -> CompiledSource:
    """Compile a source; `DefaultKafkaSourceCLIParser` reads its topic from `args`."""
    name = names.take(slug(source.name), f"the source {source.name!r}")
    match source.config:
        case TCPSourceConfig() as tcp:
            return _tcp(source.name, name, tcp, names)
        case GenSourceConfig(gen_instance=instance):
            return _generator(source.name, name, instance, names)
        case DefaultKafkaSourceCLIParser() as parser:
            return _kafka(source.name, name, parser.resolve(args))
        case KafkaSourceConfig() as kafka:
            return _kafka(source.name, name, kafka)


def distinct_ports(ingests: Iterable[Ingest]) -> tuple[Ingest, ...]:
    """Return the ingests; raises TopologyError if two of them would listen on one port."""
    found = tuple(ingests)
    for one, other in combinations([i for i in found if i.listens and i.port], 2):
        hosts = {one.host, other.host}
        if one.port == other.port and (len(hosts) == 1 or hosts & _EVERY_HOST):
            raise TopologyError(
                f"the sources {one.source!r} and {other.source!r} would both listen on "
                f"{one.host}:{one.port}; give one of them another port"
            )
    return found


def _kafka(source: str, name: str, config: KafkaSourceConfig) -> CompiledSource:
    brokers = tuple(config.brokers or ())
    read = Input(
        source,
        config.topic,
        brokers=brokers,
        event_time=config.event_time,
        max_future=config.max_future,
        carry_headers=tuple(config.carry_headers),
    )
    return CompiledSource(name, _read_by(config.decoder, read), partitioned_by=config.partitioned_by)


def _tcp(source: str, name: str, config: TCPSourceConfig, names: Names) -> CompiledSource:
    decoder = config.decoder
    ingest = Ingest(
        f"{name}-ingest",
        source,
        names.topic(name, "ingest"),
        config.host,
        int(config.port),
        decoder.header_length(),
        decoder.payload_length,
        config.max_size,
        config.parallelism,
        bool(config.valid),
        config.tls,
    )
    read = Input(source, ingest.topic, ingest=True)
    return CompiledSource(name, _read_by(decoder, read), writer=ingest)


def _read_by(decoder: Decoder, read: Input) -> Input:
    by_slice = isinstance(decoder, JsonDecoder)
    return replace(read, decode=decoder.decode, by_slice=by_slice, takes_context=decoder.takes_context)


def _generator(source: str, name: str, instance: object, names: Names) -> CompiledSource:
    positions = names.claim(name, "generator", f"the generator {source!r}")
    group = names.group(f"{name}-generator")
    topic = names.topic(name, "ingest")
    generator = Generator(f"{name}-generator", source, group, topic, positions, group, instance)
    # The values of a generator need no decoder: they are in the format of internal topics.
    return CompiledSource(name, Input(source, generator.topic, ingest=True), writer=generator)
