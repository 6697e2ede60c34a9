"""The sink for a topic of another cluster: records in order, sent again until they are confirmed.

Rules for whoever edits this file:
1. A record is confirmed once all in-sync replicas of the other cluster have it. Only a record that the other
   cluster will never take is given up, and only once it has been refused alone.
2. Whatever goes wrong, the producer is closed with all it holds before anything is sent again: it retries by
   itself, and old records must not follow new ones. It stops at the first record that fails
   (`enable.gapless.guarantee`): what comes after that record must not overtake it.
3. What a producer holds times out before the group can assign its partition to another worker: a process that
   was suspended sends nothing of it when it continues.
"""

import logging
from collections.abc import Callable

from confluent_kafka import KafkaError, Message

from wallaroo.connectors.kafka_remote.producers import Failure, OpenProducer, RemoteEntry, RemoteProducer
from wallaroo.connectors.outbox import Token
from wallaroo.connectors.resend import ResendLimits, ResendQueue
from wallaroo.connectors.tcp.sockets import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS
from wallaroo.engine.refusals import OF_A_RECORD
from wallaroo.topology.model import RemoteTopic

_log = logging.getLogger(__name__)

# How much may be unconfirmed, and how much of that the client may hold, where a message takes at least half a
# kilobyte.
_CAPACITY = ResendLimits(50_000, 33_554_432)
_WINDOW = ResendLimits(10_000, 8_388_608)
_WAIT_SECONDS = 0.02

# Errors of a record itself, or of its whole batch: the same again would be refused again.
_REFUSALS = OF_A_RECORD | {KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001 - the client's public name for it
# The time of a record that has none; what is earlier, a broker that compresses anew cannot write, without a
# word of why.
_NO_TIME = -1


class KafkaSink:
    """A producer that exists while the other cluster can be reached, and the records not yet confirmed."""

    def __init__(
        self,
        remote: RemoteTopic,
        open_producer: OpenProducer,
        reject: Callable[[Message, KafkaError], None],
        monotonic: Callable[[], float],
        stall_timeout_seconds: float,
    ) -> None:
        """`reject` deals with a record that will never be taken, before it counts as confirmed."""
        self.receiver = str(remote)
        self.connections = 0
        self.connected = False
        self.queue: ResendQueue[Message] = ResendQueue(_CAPACITY, _WINDOW)
        self._producer = RemoteProducer(remote.topic, open_producer)
        self._reject = reject
        self._monotonic = monotonic
        self._stall_timeout_seconds = stall_timeout_seconds
        # So many records are sent one by one, because one of their batch was refused.
        self._one_by_one = 0
        self._next_attempt = self._last_progress = monotonic()
        self._wait_seconds = FIRST_WAIT_SECONDS
        # Since the last connection; the first reason may be only that a client is new.
        self._complaints: set[str] = set()

    @property
    def blocked(self) -> bool:
        return self.connected and self.queue.window_full

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        sent = self.queue.sent
        self.queue.drop(unwanted)
        if self.queue.sent < sent:
            self._close_producer()

    def pump(self, timeout_seconds: float = 0.0) -> list[Token]:
        """Hand over what the window allows, process delivery reports, and return what is confirmed."""
        if not self.connected:
            self._connect()
        if not self.connected:
            return []
        self._hand_over()
        failures = self._producer.poll(timeout_seconds)
        if failures:
            self._handle(failures)
        tokens = self.queue.confirm()
        self._track_progress(len(tokens))
        return tokens

    def flush(self, timeout_seconds: float) -> list[Token]:
        deadline = self._monotonic() + timeout_seconds
        tokens: list[Token] = []
        while self.connected and len(self.queue) and self._monotonic() < deadline:
            tokens += self.pump(_WAIT_SECONDS)
        return tokens

    def close(self, timeout_seconds: float) -> list[Token]:
        """Send the rest and close; unconfirmed records are kept, and the next `pump` would connect again."""
        tokens = self.flush(timeout_seconds)
        self._close_producer()
        self.connected = False
        return tokens + self.queue.confirm()

    def _connect(self) -> None:
        if self._monotonic() < self._next_attempt:
            return
        error = self._producer.topic_error()
        if error is not None:
            self._not_connected(error.str())
            return
        self.connected = True
        self.connections += 1
        self._complaints.clear()
        _log.info("sink connected", extra={"receiver": self.receiver, "unconfirmed": len(self.queue)})

    def _not_connected(self, reason: str) -> None:
        self._next_attempt = self._monotonic() + self._wait_seconds
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)
        if reason not in self._complaints:
            self._complaints.add(reason)
            _log.warning("sink not connected", extra={"receiver": self.receiver, "error": reason})

    def _hand_over(self) -> None:
        queue, most = self.queue, self._one_by_one or _WINDOW.records
        if not queue.sent:
            self._last_progress = self._monotonic()
        while queue.sent < most and (entry := queue.next()) is not None:
            if not self._producer.produce(entry):
                queue.put_back()
                return

    def _handle(self, failures: list[Failure]) -> None:
        """Find out whether the connection has failed, a record of some batch, or this very record."""
        refused = [(entry, error) for entry, error in failures if entry and _is_refusal(entry, error)]
        if not refused:
            self._connection_lost(failures[0][1].str())
        elif not self._one_by_one:
            self._one_by_one = self.queue.sent
            self._close_producer()
        else:
            for entry, error in refused:
                self._reject(entry.record, error)
                entry.acknowledged = True
            self._close_producer()

    def _track_progress(self, confirmed: int) -> None:
        now = self._monotonic()
        if confirmed:
            self._last_progress = now
            self._wait_seconds = FIRST_WAIT_SECONDS
        elif self.queue.sent and now - self._last_progress > self._stall_timeout_seconds:
            self._connection_lost(f"nothing confirmed for {self._stall_timeout_seconds:g} s")
        if self._one_by_one:
            self._one_by_one = max(0, self._one_by_one - confirmed)
            if not self._one_by_one:
                self._close_producer()

    def _connection_lost(self, reason: str) -> None:
        details = {"receiver": self.receiver, "error": reason, "unconfirmed": len(self.queue)}
        _log.warning("sink connection lost", extra=details)
        self._close_producer()
        self.connected = False
        self._not_connected(reason)

    def _close_producer(self) -> None:
        """Release the producer and all that it holds; what is still wanted will be sent again."""
        self._producer.close(one_by_one=self._one_by_one > 0)
        self.queue.resend()


def _is_refusal(entry: RemoteEntry, error: KafkaError) -> bool:
    if error.code() == KafkaError.UNKNOWN:
        return entry.record.timestamp()[1] < _NO_TIME
    return error.code() in _REFUSALS
