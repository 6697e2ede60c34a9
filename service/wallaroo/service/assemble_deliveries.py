"""Put the deliveries of a worker together: each with its sink outside the cluster."""

from functools import partial

from wallaroo.clock import Clock, SystemClock
from wallaroo.connectors.delivery import DeliveryLoop
from wallaroo.connectors.kafka_remote.producers import RefusedRecords
from wallaroo.connectors.kafka_remote.sink import KafkaSink
from wallaroo.connectors.protocols import Sink
from wallaroo.connectors.resend import ResendLimits
from wallaroo.connectors.tcp.sink import CAPACITY, TcpSink
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import Member, remote_producer
from wallaroo.kafka.log import log_client_error
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
    delivery: Delivery,
    dead_letters: str,
    settings: Settings,
    member: Member,
    clock: Clock,
    capacity: ResendLimits = CAPACITY,
) -> DeliveryLoop:
    """The loop of one delivery; `capacity` is that of a TCP sink."""
    metrics = LoopMetrics(delivery.name)
    match delivery.receiver:
        case TcpReceiver(host, port):
            sink: Sink = TcpSink(host, port, clock.monotonic, capacity)
        case RemoteTopic() as remote:
            client_id = member.named(delivery.name)
            refused = RefusedRecords(delivery.name, str(remote), dead_letters, client_id, settings, metrics)
            sink = _remote_sink(remote, client_id, refused, settings, clock)
    return DeliveryLoop(delivery, sink, settings, member, clock, metrics)


def _remote_sink(
    remote: RemoteTopic, client_id: str, refused: RefusedRecords, settings: Settings, clock: Clock
) -> KafkaSink:
    return KafkaSink(
        remote,
        partial(remote_producer, settings, remote.bootstrap_servers, client_id, log_client_error),
        refused.reject,
        clock.monotonic,
        _STALL_TIMEOUT_SHARE * settings.session_timeout_ms / 1000,
    )
