"""The loop of one delivery in one worker: read the outbox, send to the receiver, commit what it has taken.

Rules for whoever edits this file:
1. The group is polled whatever the receiver does: while the buffer is full, the partitions are paused.
2. A commit that Kafka refuses is tried again later: at worst, records are sent twice after a crash.
3. A worker without partitions has no connection: it would stand in the way of another one's.
"""

import logging
import threading
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from wallaroo.clock import Clock
from wallaroo.connectors.outbox import Outbox, Token
from wallaroo.connectors.sender import Sender
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import Member, group_consumer
from wallaroo.kafka.errors import Event, classify_event
from wallaroo.kafka.group_member import out_of_range, starting_offsets
from wallaroo.kafka.log import log_client_error
from wallaroo.kafka.offsets import assign, join, leave, resume, unassign
from wallaroo.observability import metrics
from wallaroo.observability.health import LoopStatus
from wallaroo.settings import Settings
from wallaroo.topology.model import Delivery, TcpReceiver

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.1
# While records wait for the receiver or for their confirmation, it is looked after this often.
_BUSY_SECONDS = 0.02
_COMMIT_SECONDS = 0.2
_LOOK_SECONDS = 1.0
_REVOKE_SECONDS = 1.0
_STOP_SECONDS = 5.0
_LAST_COMMITS = 20


class DeliveryLoop:
    """Delivers the partitions that the group gives to this worker until told to stop."""

    def __init__(
        self,
        delivery: Delivery,
        sender: Sender,
        settings: Settings,
        member: Member,
        clock: Clock,
        metrics: LoopMetrics,
    ) -> None:
        self.name = delivery.name
        self.metrics = metrics
        self._group = delivery.group
        self._member_id = member.named(delivery.name)
        self._settings = settings
        self._clock = clock
        self._outbox = Outbox(delivery.outbox)
        self._sender = sender
        self._record_of = _value if isinstance(delivery.receiver, TcpReceiver) else _whole
        self._answered = False
        self._choked = False
        self._stopping = threading.Event()
        self._reconnects = 0
        self._committed = self._looked = clock.monotonic()

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> LoopStatus:
        partitions = len(self._outbox)
        connected = self._sender.connected or not partitions
        return LoopStatus(self.name, self._answered, partitions, 0, connected, problem=None)

    def run(self) -> None:
        """Until stopped; then deliver what is in hand, as far as the receiver takes it, and leave."""
        self._consumer = group_consumer(self._settings, self._group, self._member_id, log_client_error)
        join(self._consumer, self._outbox.topic, self._on_assign, self._on_revoke, self._on_lost)
        while not self._stopping.is_set():
            self._turn()
        self._confirmed(self._sender.close(_STOP_SECONDS))
        self._commit_at_last()
        leave(self._consumer, lambda: bool(self._outbox))
        self._measure_connection()

    def _turn(self) -> None:
        if self._outbox.admit() and not self._choked:
            resume(self._consumer, self._outbox.positions())
        self._take(self._poll())
        if self._outbox.owned:
            self._confirmed(self._sender.pump(_BUSY_SECONDS if self._sender.blocked else 0))
        self._regulate()
        now = self._clock.monotonic()
        if now - self._committed >= _COMMIT_SECONDS:
            self._commit()
        if now - self._looked >= _LOOK_SECONDS:
            self._look(now)

    def _poll(self) -> list[Message]:
        """Whatever is there, and if nothing is, the first that comes."""
        batch = self._settings.consume_batch
        messages = self._consumer.consume(batch, 0)
        if messages:
            return messages
        first = self._consumer.poll(self._poll_timeout())
        return [] if first is None else [first, *self._consumer.consume(batch - 1, 0)]

    def _poll_timeout(self) -> float:
        if self._sender.blocked:
            return 0
        return _BUSY_SECONDS if self._sender.unconfirmed or not self._sender.connected else _IDLE_SECONDS

    def _take(self, messages: list[Message]) -> None:
        push, record_of, owned = self._sender.push, self._record_of, self._outbox.owned
        message: Any
        for message in messages:
            number = message.partition()
            if message.error() is not None:
                self._hear(message)
            elif number in owned:
                next_offset = message.offset() + 1
                owned[number].read = next_offset
                push(record_of(message), (number, next_offset))

    def _confirmed(self, tokens: list[Token]) -> None:
        if tokens:
            self._outbox.delivered(tokens)
            self.metrics.values.count(metrics.DELIVERED_RECORDS, len(tokens), self.name)

    def _regulate(self) -> None:
        if not self._choked and self._sender.full:
            self._choked = True
            self._consumer.pause(self._outbox.partitions())
        elif self._choked and self._sender.roomy:
            self._choked = False
            resume(self._consumer, self._outbox.positions())

    def _commit(self) -> None:
        self._committed = self._clock.monotonic()
        due = self._outbox.due()
        if not due:
            return
        try:
            self._outbox.committed(self._consumer.commit(offsets=due, asynchronous=False) or ())
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            _log.warning("delivery not committed", extra={"sink": self.name, "error": error.args[0].str()})

    def _commit_at_last(self) -> None:
        """A rebalance may be in the way of the last commit; polling gets on with it."""
        self._consumer.pause(self._outbox.partitions())
        for _ in range(_LAST_COMMITS):
            self._commit()
            if not self._outbox.due():
                return
            self._consumer.poll(_IDLE_SECONDS)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions assigned", partitions)
        starts = starting_offsets(consumer, partitions, self._settings, "earliest")
        assign(consumer, starts, self._settings)
        self._outbox.arrive(starts)
        self._answered = True
        self.metrics.rebalanced(len(self._outbox))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions revoked", partitions)
        keeps_some = self._outbox.any_besides({tp.partition for tp in partitions})
        settle = self._sender.flush if keeps_some else self._sender.close
        self._confirmed(settle(_REVOKE_SECONDS))
        self._commit()
        self._give_up(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log_rebalance("partitions lost", partitions)
        self._give_up(consumer, partitions)
        if not len(self._outbox):
            self._sender.close(0)

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {tp.partition for tp in partitions}
        self._outbox.give_up(numbers)
        self._sender.drop(lambda token: token[0] in numbers)
        unassign(consumer, partitions, self._settings)
        self.metrics.revoked(partitions)
        self.metrics.rebalanced(len(self._outbox))

    def _log_rebalance(self, event: str, partitions: list[TopicPartition]) -> None:
        numbers = sorted(tp.partition for tp in partitions)
        _log.info(event, extra={"sink": self.name, "topic": self._outbox.topic, "partitions": numbers})

    def _hear(self, message: Message) -> None:
        event, number = classify_event(message), message.partition() or 0
        position = self._outbox.owned.get(number)
        if position is None:
            return
        if event is Event.END_OF_PARTITION:
            position.end = message.offset() or 0
        elif event is Event.OUT_OF_RANGE:
            at = TopicPartition(self._outbox.topic, number, position.read)
            low, high = self._consumer.get_watermark_offsets(at)
            at.offset = position.read = out_of_range(at, low, high, self._settings)
            self._consumer.seek(at)

    def _look(self, now: float) -> None:
        self._looked = now
        self._measure_connection()
        for at in self._outbox.partitions():
            _, high = self._consumer.get_watermark_offsets(at, cached=True)
            lag = self._outbox.owned[at.partition].lag(high)
            self.metrics.values.set(metrics.CONSUMER_LAG, lag, self.name, at.topic, at.partition)

    def _measure_connection(self) -> None:
        values = self.metrics.values
        values.set(metrics.SINK_CONNECTED, int(self._sender.connected), self.name)
        reconnects = max(0, self._sender.connections - 1)
        values.count(metrics.SINK_RECONNECTS, reconnects - self._reconnects, self.name)
        self._reconnects = reconnects


def _value(message: Message) -> bytes:
    return message.value() or b""


def _whole(message: Message) -> Message:
    return message
