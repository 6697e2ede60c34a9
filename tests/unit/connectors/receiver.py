"""A receiver on a real loopback port that does only what a test tells it, and waits for nothing."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable

TIMEOUT_SECONDS = 10


class Receiver:
    """Holds its port from the start, but refuses connections until `listen`."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None
        self.received = b""

    def listen(self) -> None:
        self._listener.listen(5)

    def take_little(self) -> None:
        """Have the kernel acknowledge a few kilobytes beyond what is read, and no more; before `listen`."""
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def accept(self) -> bool:
        """Take the next connection over; False when there is none."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return False
        connection.setblocking(False)
        self.close_connection()
        self._connection, self.received = connection, b""
        return True

    def read(self, size_bytes: int = 1_000_000) -> bytes:
        """Read what is there, up to a size, and return all that this connection has brought."""
        with contextlib.suppress(BlockingIOError):
            self.received += self._connection.recv(size_bytes)
        return self.received

    def read_to_the_end_and_close(self) -> None:
        """Wait for the sender to close its side; then close ours, as a well-behaved receiver does."""
        self._connection.settimeout(TIMEOUT_SECONDS)
        while block := self._connection.recv(1_000_000):
            self.received += block
        self.close_connection()

    def say(self, words: bytes) -> None:
        self._connection.sendall(words)

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection()

    def close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        self.close_connection()
        self._listener.close()


def until(condition: Callable[[], object]) -> None:
    """Repeat a condition that also moves things on, until it holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT_SECONDS} s: {condition.__qualname__}"
