"""Transactional producers that are short and honest: for tests without Kafka."""

import logging
import threading

from wallaroo.kafka.clients import TransactionalProducer
from wallaroo.kafka.connection_log import ConnectionLog
from wallaroo.kafka.producers import ProducerTurns

BROKEN = "TxnCoordinator/1: kafka:9092: Disconnected: connection reset by peer (after 5ms in state UP)"


def with_log(client, transactional_id="id"):
    return TransactionalProducer(transactional_id, client, ConnectionLog(logging.getLogger("fake"), 50))


def turns_of(*clients):
    """Turns of these, none of which can be replaced."""
    return ProducerTurns([lambda client=client: with_log(client) for client in clients])


class FakeClient:
    """A client whose connections break when it is told to; `allowed` lets `init_transactions` return."""

    def __init__(self, name, allowed):
        self.name = name
        self.closed = threading.Event()
        self.opened = with_log(self, name)
        self._lines = []
        self._allowed = allowed

    def init_transactions(self, _seconds):
        self._allowed()

    def breaks(self):
        self._lines.append(BROKEN)

    def poll(self, _seconds):
        """As the real one does, it says what has happened only now."""
        while self._lines:
            self.opened.connections.log(10, "%s [%s] %s", "FAIL", self.name, self._lines.pop())

    def close(self):
        self.closed.set()
