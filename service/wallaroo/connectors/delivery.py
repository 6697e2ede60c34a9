"""The loop of one delivery in one worker: read the outbox, send to the receiver, commit what is confirmed.

Rules for whoever edits this file:
1. The group is polled whatever the receiver does: while the sink is full, the partitions are paused.
2. A commit that Kafka refuses is tried again later: at worst, records are sent twice after a crash.
3. A worker without partitions has no connection: it could take the place of the worker that needs it.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaException, Message, TopicPartition

from wallaroo.clock import Clock
from wallaroo.connectors.outbox import Outbox, Token, new_watch
from wallaroo.connectors.outbox_topic import OutboxTopic
from wallaroo.connectors.protocols import Sink
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import WorkerIdentity, group_consumer
from wallaroo.kafka.errors import Event, missing_permission
from wallaroo.kafka.group_member import Assigned, GroupMember
from wallaroo.observability import metrics
from wallaroo.observability.health import LoopStatus, Uncommitted
from wallaroo.settings import Settings
from wallaroo.topology.model import Delivery, TcpReceiver

_log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.1
# How long to wait for a message while records wait for the receiver or for their confirmation.
_BUSY_SECONDS = 0.02
_COMMIT_SECONDS = 0.2
_METRICS_SECONDS = 1.0
_REVOKE_SECONDS = 1.0
_STOP_SECONDS = 5.0
_LAST_COMMITS = 20


class DeliveryLoop:
    """Delivers the partitions that the group assigns to this worker, until told to stop."""

    def __init__(
        self,
        delivery: Delivery,
        sink: Sink,
        settings: Settings,
        identity: WorkerIdentity,
        clock: Clock,
        metrics: LoopMetrics,
    ) -> None:
        self.name = delivery.name
        self.metrics = metrics
        self._group = delivery.group
        self._client_id = identity.member_id(delivery.name)
        self._settings = settings
        self._clock = clock
        self._outbox = Outbox(delivery.outbox)
        self._sink = sink
        self._member = GroupMember(delivery.outbox, settings, "earliest", self, {"sink": self.name})
        self._topic = OutboxTopic(delivery, settings, self._client_id, clock)
        self._commits = new_watch(delivery.name, clock)
        self._record_of = _value if isinstance(delivery.receiver, TcpReceiver) else _message
        self.has_batches = False
        self._paused = False
        self._stopping = threading.Event()
        self._reconnects = 0
        self._committed = self._updated = clock.monotonic()

    def resume(self, before: Uncommitted | None) -> None:
        """What has been delivered and not committed is delivered once more."""

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> LoopStatus:
        partitions = len(self._outbox)
        connected = self._sink.connected or not partitions
        obstacle = self._member.obstacle or self._commits.obstacle() or self._topic.obstacle
        return LoopStatus(self.name, self._member.answered, partitions, 0, connected, None, obstacle)

    def done(self) -> Mapping[tuple[str, int], int]:
        """Up to where each partition is delivered; for the thread that measures lags."""
        return {(self._outbox.topic, n): at.done for n, at in list(self._outbox.owned.items())}

    def records_in(self, _message: Message) -> int:
        return 1

    def run(self) -> None:
        """Run until stopped; then deliver what has been read, as far as the receiver takes it, and leave."""
        self._outbox.metadata = self._topic.open()
        consumer = group_consumer(self._settings, self._group, self._client_id)
        self._member.join(consumer, self._group)
        with self._member.leaving_if_refused():
            while not self._stopping.is_set():
                self._turn()
        self._note_confirmed(self._sink.close(_STOP_SECONDS))
        self._commit_at_last()
        self._member.leave()
        self._update_connection_metrics()

    def _turn(self) -> None:
        self._topic.check()
        if self._outbox.admit() and not self._paused:
            self._member.resume(self._outbox.positions())
        self._push(self._member.poll(self._settings.consume_batch, self._poll_timeout()))
        if self._outbox.owned:
            self._note_confirmed(self._sink.pump(_BUSY_SECONDS if self._sink.blocked else 0))
        self._pause_or_resume()
        now = self._clock.monotonic()
        if now - self._committed >= _COMMIT_SECONDS:
            self._commit()
        if now - self._updated >= _METRICS_SECONDS:
            self._update_metrics(now)

    def _poll_timeout(self) -> float:
        if self._sink.blocked:
            return 0
        return _BUSY_SECONDS if self._sink.queue or not self._sink.connected else _IDLE_SECONDS

    def _push(self, messages: list[Message]) -> None:
        push, record_of, owned = self._sink.queue.push, self._record_of, self._outbox.owned
        message: Any
        density = self.metrics.density
        for message in messages:
            number = message.partition()
            if message.error() is not None:
                self._on_consumer_event(message)
            elif number in owned:
                next_offset = message.offset() + 1
                density(number).read(1, next_offset - 1, next_offset)
                owned[number].read = next_offset
                push(record_of(message), (number, next_offset))

    def _note_confirmed(self, tokens: list[Token]) -> None:
        if tokens:
            self._outbox.delivered(tokens)
            self.metrics.values.count(metrics.DELIVERED_RECORDS, len(tokens), self.name)

    def _pause_or_resume(self) -> None:
        if not self._paused and self._sink.queue.is_full:
            self._paused = True
            self._member.consumer.pause(self._outbox.positions())
        elif self._paused and self._sink.queue.has_room:
            self._paused = False
            self._member.resume(self._outbox.positions())

    def _commit(self) -> None:
        self._committed = self._clock.monotonic()
        due = self._outbox.due()
        if not due:
            return
        self._commits.begun(list)
        try:
            self._outbox.committed(self._member.consumer.commit(offsets=due, asynchronous=False) or ())
            self._commits.committed()
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            if refusal := missing_permission(error):
                raise refusal from error
            self._commits.aborted(error.args[0].str())
            _log.warning("delivery not committed", extra={"sink": self.name, "error": error.args[0].str()})

    def _commit_at_last(self) -> None:
        """Commit, and poll between attempts: a rebalance may be in the way, and polling completes it."""
        self._member.consumer.pause(self._outbox.positions())
        for _ in range(_LAST_COMMITS):
            self._commit()
            if not self._outbox.due():
                return
            self._member.consumer.poll(_IDLE_SECONDS)

    def on_assigned(self, starts: Sequence[Assigned]) -> None:
        for assigned in starts:
            start = self._topic.decide(assigned)
            self._outbox.assigned(assigned.partition, start.offset, is_committed=not start.commit)

    def on_revoked(self, partitions: list[TopicPartition]) -> None:
        """Deliver and commit what has been read, within a second."""
        keeps_some = self._outbox.any_besides({tp.partition for tp in partitions})
        settle = self._sink.flush if keeps_some else self._sink.close
        self._note_confirmed(settle(_REVOKE_SECONDS))
        self._commit()
        self._release(partitions)

    def on_lost(self, partitions: list[TopicPartition]) -> None:
        """Drop what has been read."""
        self._release(partitions)
        if not len(self._outbox):
            self._sink.close(0)

    def on_rebalanced(self) -> None:
        self.metrics.rebalanced(len(self._outbox))

    def _release(self, partitions: list[TopicPartition]) -> None:
        numbers = {tp.partition for tp in partitions}
        self._commits.committed()
        self._outbox.release(numbers)
        self._sink.drop(lambda token: token[0] in numbers)
        self.metrics.revoked(partitions)

    def _on_consumer_event(self, message: Message) -> None:
        event, number = self._member.classify(message), message.partition() or 0
        position = self._outbox.owned.get(number)
        if position is None:
            return
        if event is Event.END_OF_PARTITION:
            position.end = message.offset() or 0
        elif event is Event.OUT_OF_RANGE:
            position.read = self._member.out_of_range(number, position.read)
            self._member.seek(number, position.read)

    def _update_metrics(self, now: float) -> None:
        self._updated = now
        self._update_connection_metrics()
        stops = []
        for at in self._outbox.positions():
            _, high = self._member.consumer.get_watermark_offsets(at, cached=True)
            position = self._outbox.owned[at.partition]
            if position.end >= position.read:
                stops.append(((at.topic, at.partition), position.end, high))
        self._topic.watch(stops)

    def _update_connection_metrics(self) -> None:
        values = self.metrics.values
        values.set(metrics.SINK_CONNECTED, int(self._sink.connected), self.name)
        reconnects = max(0, self._sink.connections - 1)
        values.count(metrics.SINK_RECONNECTS, reconnects - self._reconnects, self.name)
        self._reconnects = reconnects


def _value(message: Message) -> bytes:
    return message.value() or b""


def _message(message: Message) -> Message:
    return message
