"""Put the deliveries of a worker together: each with a sender for what is outside of the cluster."""

from functools import partial

from wallaroo.clock import Clock, SystemClock
from wallaroo.connectors.delivery import DeliveryLoop
from wallaroo.connectors.kafka_remote.refusals import Refusals
from wallaroo.connectors.kafka_remote.sender import KafkaSender
from wallaroo.connectors.outbox import Token
from wallaroo.connectors.sender import Sender
from wallaroo.connectors.tcp.sink import Limits, TcpSender
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import Member, remote_producer
from wallaroo.kafka.log import log_client_error
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import Settings
from wallaroo.topology.model import Delivery, RemoteTopic, TcpReceiver

# Of the session's time-out: longer than a partition there is without a leader, and over before the client
# itself gives records up.
_PATIENCE = 0.6


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
    limits: Limits | None = None,
) -> DeliveryLoop:
    """The loop of one delivery; `limits` are those of a TCP receiver."""
    metrics = LoopMetrics(delivery.name)
    match delivery.receiver:
        case TcpReceiver(host, port):
            sender: Sender = TcpSender[Token](host, port, clock.monotonic, limits)
        case RemoteTopic() as remote:
            client_id = member.named(delivery.name)
            refusals = Refusals(delivery.name, str(remote), dead_letters, client_id, settings, metrics)
            sender = _to(remote, client_id, refusals, settings, clock)
    return DeliveryLoop(delivery, sender, settings, member, clock, metrics)


def _to(
    remote: RemoteTopic, client_id: str, refusals: Refusals, settings: Settings, clock: Clock
) -> KafkaSender:
    return KafkaSender(
        remote,
        partial(remote_producer, settings, remote.bootstrap_servers, client_id, log_client_error),
        refusals.refuse,
        clock.monotonic,
        _PATIENCE * settings.session_timeout_ms / 1000,
    )
