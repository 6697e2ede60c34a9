"""Put the deliveries of a worker together: each with its sink outside the cluster."""

from wallaroo.clock import Clock, SystemClock
from wallaroo.connectors.delivery import DeliveryLoop
from wallaroo.connectors.kafka_remote.producers import RefusedRecords, producer_opener
from wallaroo.connectors.kafka_remote.sink import KafkaSink
from wallaroo.connectors.protocols import Sink
from wallaroo.connectors.tcp.sink import TcpSink
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import Member
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import Settings
from wallaroo.topology.model import Delivery, RemoteTopic, TcpReceiver

# The share of the session time-out after which a stalled sink reconnects: longer than a partition of the
# other cluster is without a leader, and over before the client itself gives up records.
_STALL_TIMEOUT_SHARE = 0.6


def build_deliveries(spec: WorkerSpec, loaded: Loaded) -> list[DeliveryLoop]:
    """One loop for each sink outside the cluster."""
    member, clock = Member(spec.application_id, spec.instance, spec.index), SystemClock()
    dead_letters = loaded.topology.dead_letters
    return [
        delivery_loop(delivery, dead_letters, spec.settings, member, clock)
        for delivery in loaded.topology.deliveries
    ]


def delivery_loop(
    delivery: Delivery, dead_letters: str, settings: Settings, member: Member, clock: Clock
) -> DeliveryLoop:
    """The loop of one delivery, with its sink."""
    metrics = LoopMetrics(delivery.name)
    match delivery.receiver:
        case TcpReceiver(host, port):
            sink: Sink = TcpSink(host, port, clock.monotonic)
        case RemoteTopic() as remote:
            client_id = member.named(delivery.name)
            refused = RefusedRecords(delivery, dead_letters, client_id, settings, metrics)
            sink = _remote_sink(remote, client_id, refused, settings, clock)
    return DeliveryLoop(delivery, sink, settings, member, clock, metrics)


def _remote_sink(
    remote: RemoteTopic, client_id: str, refused: RefusedRecords, settings: Settings, clock: Clock
) -> KafkaSink:
    return KafkaSink(
        remote,
        producer_opener(settings, remote.bootstrap_servers, client_id),
        refused.reject,
        clock.monotonic,
        _STALL_TIMEOUT_SHARE * settings.session_timeout_ms / 1000,
    )
