"""Polled: admin clients, which nobody else polls, so that their logs are read while they block in a call.

A client hands over its log only when it is polled: that a password is wrong, say.
"""

import threading
import weakref

from confluent_kafka.admin import AdminClient

_INTERVAL_SECONDS = 0.2


class Polled:
    """Polls the clients that are added, in a thread of its own, as long as somebody else holds them."""

    def __init__(self) -> None:
        self._clients: weakref.WeakSet[AdminClient] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_running = False

    def add(self, client: AdminClient) -> None:
        """Poll a client from now on."""
        with self._lock:
            self._clients.add(client)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="admin clients", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_INTERVAL_SECONDS):
            with self._lock:
                clients = list(self._clients)
            while clients:
                clients.pop().poll(0)


POLLED = Polled()
