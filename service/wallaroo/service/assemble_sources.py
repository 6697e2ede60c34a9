"""Put the sources of a worker together that do not begin in Kafka: TCP ports and generators."""

from confluent_kafka import Consumer

from wallaroo.clock import SystemClock
from wallaroo.connectors.generator.loop import GeneratorClients, GeneratorLoop
from wallaroo.connectors.generator.record import Backlog, GeneratorRecord, saved_position
from wallaroo.connectors.tcp.ingest import IngestLoop
from wallaroo.engine.transaction import Probe, without_offsets
from wallaroo.kafka.clients import (
    Member,
    admin_client,
    generator_producer,
    group_consumer,
    restore_consumer,
)
from wallaroo.kafka.log import log_client_error
from wallaroo.kafka.retry import retry
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import Settings
from wallaroo.topology.ingest import Generator

_INIT_SECONDS = 30.0
# So many values may wait to be read before the generator waits.
_MOST_UNREAD = 50_000


def build_ingests(spec: WorkerSpec, loaded: Loaded) -> list[IngestLoop]:
    """One loop for each TCP source that listens."""
    member, clock = Member(spec.application_id, spec.instance, spec.index), SystemClock()
    return [
        IngestLoop(ingest, spec.partitions[ingest.topic], spec.settings, member, clock)
        for ingest in loaded.topology.ingests
        if ingest.listens
    ]


def build_generators(spec: WorkerSpec, loaded: Loaded, probe: Probe) -> list[GeneratorLoop]:
    """One loop for each generator; in one worker of the application it will have something to do."""
    return [_generator_loop(g, spec, loaded, probe) for g in loaded.topology.generators]


def _generator_loop(generator: Generator, spec: WorkerSpec, loaded: Loaded, probe: Probe) -> GeneratorLoop:
    settings = spec.settings
    member = Member(spec.application_id, spec.instance, spec.index).named(generator.name)
    readers = {sub.input.topic: sub.group for sub in loaded.topology.sub_topologies}

    def open_consumer() -> Consumer:
        return group_consumer(settings, generator.group, member, log_client_error)

    def open_record() -> GeneratorRecord:
        producer = generator_producer(settings, generator.transactional_id, log_client_error)
        # Fences the owner before, and aborts what it left open.
        retry(lambda: producer.init_transactions(_INIT_SECONDS))
        backlog = Backlog(
            admin_client(settings, member), generator.topic, readers[generator.topic], _MOST_UNREAD
        )
        position = _position(generator.positions, settings, member)
        return GeneratorRecord(without_offsets(producer, probe), position, backlog)

    clients = GeneratorClients(open_consumer, open_record)
    return GeneratorLoop(generator, loaded.codecs, clients, settings, SystemClock())


def _position(topic: str, settings: Settings, client_id: str) -> bytes | None:
    consumer = restore_consumer(settings, client_id)
    try:
        return saved_position(consumer, topic)
    finally:
        consumer.close()
