"""The sender to a topic of another cluster: records in order, sent again until they are confirmed.

Rules for whoever edits this file:
1. Confirmed is what all in-sync replicas over there have. Nothing else is ever given up but what the other
   cluster will never take, and that only once it has been refused alone.
2. Whatever goes wrong, the producer is parted from with all it holds before anything is sent again: it sends
   by itself, and old records must not come behind new ones. It stops at the first record that fails
   (`enable.gapless.guarantee`): what comes after it must not overtake it.
3. What a producer holds times out before the group can have given its partition to somebody else: a process
   that has stood still sends nothing of it when it goes on.
"""

import logging
from collections.abc import Callable

from confluent_kafka import KafkaError, Message

from wallaroo.connectors.capacity import Capacity
from wallaroo.connectors.in_order import InOrder
from wallaroo.connectors.kafka_remote.link import Failure, OpenProducer, RemoteLink
from wallaroo.connectors.outbox import Token
from wallaroo.connectors.tcp.dial import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS
from wallaroo.topology.model import RemoteTopic

_log = logging.getLogger(__name__)

# How much may be unconfirmed, and of that, in the client's hands; a message takes half a kilobyte at least.
_MOST_RECORDS, _MOST_BYTES = 50_000, 33_554_432
_WINDOW_RECORDS, _WINDOW_BYTES = 10_000, 8_388_608
_WAIT_SECONDS = 0.02

# What is wrong with a record itself, or with its whole batch: the same again would be refused again.
_REFUSALS = frozenset(
    (
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - the client's public name for it
    )
)


class KafkaSender(Capacity):
    """A producer that is there while the other cluster is, and the records that are not yet confirmed."""

    def __init__(
        self,
        remote: RemoteTopic,
        open_producer: OpenProducer,
        refuse: Callable[[Message, KafkaError], None],
        monotonic: Callable[[], float],
        stall_timeout_seconds: float,
    ) -> None:
        """`refuse` deals with a record that is never going to be taken, before it counts as confirmed."""
        self.receiver = str(remote)
        self.connections = 0
        self.connected = False
        self._link = RemoteLink(remote.topic, open_producer)
        self._refuse = refuse
        self._monotonic = monotonic
        self._stall_timeout_seconds = stall_timeout_seconds
        self._records: InOrder[Message, Token] = InOrder(_WINDOW_RECORDS, _WINDOW_BYTES)
        super().__init__(self._records, _MOST_RECORDS, _MOST_BYTES)
        # As many records are sent one by one, since one of their batch was refused.
        self._one_by_one = 0
        self._next = self._moved = monotonic()
        self._pause_seconds = FIRST_WAIT_SECONDS
        # Since the last connection; the first reason may be only that a client is new.
        self._complaints: set[str] = set()

    @property
    def blocked(self) -> bool:
        return self.connected and self._records.window_full

    def push(self, record: Message, token: Token) -> None:
        """Have a record of an outbox sent by the next `pump`; its token comes back once it is confirmed."""
        self._records.push(record, token, len(record))

    def drop(self, unwanted: Callable[[Token], bool]) -> None:
        """Forget records that are somebody else's now."""
        under_way = self._records.under_way
        self._records.drop(unwanted)
        if self._records.under_way < under_way:
            self._part()

    def pump(self, timeout_seconds: float = 0.0) -> list[Token]:
        """Hand over what the window allows, hear what has become of the rest, return what is confirmed."""
        if not self.connected:
            self._connect()
        if not self.connected:
            return []
        self._hand_over()
        failures = self._link.hear(timeout_seconds)
        if failures:
            self._judge(failures)
        tokens = self._records.confirm()
        self._progress(len(tokens))
        return tokens

    def flush(self, timeout_seconds: float) -> list[Token]:
        """Pump until everything is confirmed, the other cluster is gone, or time is up."""
        deadline = self._monotonic() + timeout_seconds
        tokens: list[Token] = []
        while self.connected and len(self._records) and self._monotonic() < deadline:
            tokens += self.pump(_WAIT_SECONDS)
        return tokens

    def close(self, timeout_seconds: float) -> list[Token]:
        """Send the rest and part; what is not confirmed is kept, and the next `pump` would connect again."""
        tokens = self.flush(timeout_seconds)
        self._part()
        self.connected = False
        return tokens + self._records.confirm()

    def _connect(self) -> None:
        if self._monotonic() < self._next:
            return
        error = self._link.ask()
        if error is not None:
            self._away(error.str())
            return
        self.connected = True
        self.connections += 1
        self._complaints.clear()
        _log.info("sink connected", extra={"receiver": self.receiver, "unconfirmed": len(self._records)})

    def _away(self, reason: str) -> None:
        self._next = self._monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_WAIT_SECONDS)
        if reason not in self._complaints:
            self._complaints.add(reason)
            _log.warning("sink not connected", extra={"receiver": self.receiver, "error": reason})

    def _hand_over(self) -> None:
        records, most = self._records, self._one_by_one or _WINDOW_RECORDS
        if not records.under_way:
            self._moved = self._monotonic()
        while records.under_way < most and (sent := records.next()) is not None:
            if not self._link.produce(sent):
                records.put_back()
                return

    def _judge(self, failures: list[Failure]) -> None:
        """Of what has failed: is it the connection, a record of some batch, or this very record?"""
        refused = [(sent, error) for sent, error in failures if sent and error.code() in _REFUSALS]
        if not refused:
            self._lost(failures[0][1].str())
        elif not self._one_by_one:
            self._one_by_one = self._records.under_way
            self._part()
        else:
            for sent, error in refused:
                self._refuse(sent.record, error)
                sent.taken = True
            self._part()

    def _progress(self, confirmed: int) -> None:
        now = self._monotonic()
        if confirmed:
            self._moved = now
            self._pause_seconds = FIRST_WAIT_SECONDS
        elif self._records.under_way and now - self._moved > self._stall_timeout_seconds:
            self._lost(f"nothing confirmed for {self._stall_timeout_seconds:g} s")
        if self._one_by_one:
            self._one_by_one = max(0, self._one_by_one - confirmed)
            if not self._one_by_one:
                self._part()

    def _lost(self, reason: str) -> None:
        details = {"receiver": self.receiver, "error": reason, "unconfirmed": len(self._records)}
        _log.warning("sink connection lost", extra=details)
        self._part()
        self.connected = False
        self._away(reason)

    def _part(self) -> None:
        """Let go of the producer and of all that it holds; what is wanted will be sent anew."""
        self._link.part(one_by_one=self._one_by_one > 0)
        self._records.again()
