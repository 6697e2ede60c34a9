"""Put the loops of a worker together that begin or end outside the cluster."""

from functools import partial

from wallaroo.connectors.delivery import DeliveryLoop
from wallaroo.connectors.generator.loop import GeneratorLoop
from wallaroo.connectors.generator.task import Positions
from wallaroo.connectors.generator.topics import open_topics, watch_topics
from wallaroo.connectors.kafka_remote.producers import RefusedRecords
from wallaroo.connectors.kafka_remote.sink import KafkaSink
from wallaroo.connectors.tcp.ingest import IngestLoop
from wallaroo.connectors.tcp.sink import TcpSink
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import group_consumer, remote_producer
from wallaroo.service.assemble import WorkerContext
from wallaroo.topology.model import Delivery, RemoteTopic, TcpReceiver

# The share of the session time-out after which a stalled sink reconnects: longer than a partition of the
# other cluster is without a leader, and over before the client itself gives up records.
_STALL_TIMEOUT_SHARE = 0.6


def build_ingests(worker: WorkerContext) -> list[IngestLoop]:
    """One loop for each TCP source that listens."""
    partitions, settings = worker.spec.partitions, worker.spec.settings
    return [
        IngestLoop(ingest, partitions[ingest.topic], settings, worker.identity, worker.clock)
        for ingest in worker.loaded.topology.ingests
        if ingest.listens
    ]


def build_generators(worker: WorkerContext) -> list[GeneratorLoop]:
    """One loop for each generator; only in one worker of the application does it have something to do."""
    settings, loaded = worker.spec.settings, worker.loaded
    readers = {sub.input.topic: sub.group for sub in loaded.topology.sub_topologies}
    loops = []
    for generator in loaded.topology.generators:
        client_id = worker.identity.member_id(generator.name)
        reader = readers[generator.topic]
        open_consumer = partial(group_consumer, settings, generator.group, client_id)
        dead = loaded.topology.dead_letters
        open_generator = partial(open_topics, generator, reader, settings, client_id, worker.probe, dead)
        positions = Positions(generator, loaded.codecs)
        loop = GeneratorLoop(generator, positions, open_consumer, open_generator, settings, worker.clock)
        # The embedded broker has no topic ids.
        if not settings.embedded_broker:
            watch_id = f"{client_id}-watch"
            loop.watch_topics_by(partial(watch_topics, generator, settings, watch_id, worker.clock))
        loops.append(loop)
    return loops


def build_deliveries(worker: WorkerContext) -> list[DeliveryLoop]:
    """One loop for each sink outside the cluster."""
    return [delivery_loop(worker, delivery) for delivery in worker.loaded.topology.deliveries]


def delivery_loop(worker: WorkerContext, delivery: Delivery) -> DeliveryLoop:
    """The loop that delivers an outbox to its receiver."""
    metrics, clock, settings = LoopMetrics(delivery.name), worker.clock, worker.spec.settings
    match delivery.receiver:
        case TcpReceiver() as receiver:
            sink: TcpSink | KafkaSink = TcpSink(receiver, clock.monotonic)
        case RemoteTopic() as remote:
            client_id = worker.identity.member_id(delivery.name)
            dead_letters = worker.loaded.topology.dead_letters
            refused = RefusedRecords(delivery, dead_letters, client_id, settings, metrics)
            sink = KafkaSink(
                remote,
                partial(remote_producer, settings, remote.bootstrap_servers, client_id),
                refused.reject,
                clock.monotonic,
                _STALL_TIMEOUT_SHARE * settings.session_timeout_ms / 1000,
            )
    return DeliveryLoop(delivery, sink, settings, worker.identity, clock, metrics)
