"""Put the sources of a worker together that do not begin in Kafka: TCP ports and generators."""

from functools import partial

from wallaroo.clock import SystemClock
from wallaroo.connectors.generator.loop import GeneratorLoop
from wallaroo.connectors.generator.task import Positions
from wallaroo.connectors.generator.topics import open_topics
from wallaroo.connectors.tcp.ingest import IngestLoop
from wallaroo.engine.transaction import Probe
from wallaroo.kafka.clients import Member, group_consumer
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.topology.model import Generator


def build_ingests(spec: WorkerSpec, loaded: Loaded) -> list[IngestLoop]:
    """One loop for each TCP source that listens."""
    member, clock = Member(spec.application_id, spec.instance, spec.index), SystemClock()
    return [
        IngestLoop(ingest, spec.partitions[ingest.topic], spec.settings, member, clock)
        for ingest in loaded.topology.ingests
        if ingest.listens
    ]


def build_generators(spec: WorkerSpec, loaded: Loaded, probe: Probe) -> list[GeneratorLoop]:
    """One loop for each generator; only in one worker of the application does it have something to do."""
    return [_generator_loop(g, spec, loaded, probe) for g in loaded.topology.generators]


def _generator_loop(generator: Generator, spec: WorkerSpec, loaded: Loaded, probe: Probe) -> GeneratorLoop:
    settings = spec.settings
    client_id = Member(spec.application_id, spec.instance, spec.index).named(generator.name)
    readers = {sub.input.topic: sub.group for sub in loaded.topology.sub_topologies}
    return GeneratorLoop(
        generator,
        Positions(generator, loaded.codecs),
        partial(group_consumer, settings, generator.group, client_id),
        partial(open_topics, generator, readers[generator.topic], settings, client_id, probe),
        settings,
        SystemClock(),
    )
