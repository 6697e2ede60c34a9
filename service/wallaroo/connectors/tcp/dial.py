"""Reach a receiver that may be away: connect without blocking, again and again, with a back-off."""

import errno
import os
import select
import socket
from collections.abc import Callable
from typing import Any

FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 2.0
_ANSWER_SECONDS = 5.0

# What getaddrinfo says of one address: family, type, protocol, canonical name, address.
_Address = tuple[int, int, int, str, Any]


class Dialer:
    """One attempt at a time; every address that the host name stands for is tried before it waits.

    The wait doubles until a connection has been `proven` good. Only the look-up of the name may block.
    """

    def __init__(self, host: str, port: int, monotonic: Callable[[], float]) -> None:
        self.failure = ""
        self._host = host
        self._port = port
        self._monotonic = monotonic
        self._addresses: list[_Address] = []
        self._attempt: socket.socket | None = None
        self._deadline = 0.0
        self._wait_seconds = FIRST_WAIT_SECONDS
        self._next = monotonic()

    def dial(self, timeout_seconds: float) -> socket.socket | None:
        """The connected socket as soon as there is one; waits for an answer at most this long."""
        if self._attempt is None:
            self._begin()
        if self._attempt is None or not self._answered(self._attempt, timeout_seconds):
            return None
        attempt, self._attempt = self._attempt, None
        if reason := _refusal(attempt):
            attempt.close()
            self._failed(reason)
            return None
        self._addresses = []
        return attempt

    def lost(self) -> None:
        """The connection has broken: give the receiver a moment."""
        self._next = self._monotonic() + self._wait_seconds
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)

    def proven(self) -> None:
        """The receiver is there and takes records: begin with the short wait again."""
        self._wait_seconds = FIRST_WAIT_SECONDS

    def close(self) -> None:
        if self._attempt is not None:
            self._attempt.close()
            self._attempt = None

    def _begin(self) -> None:
        """Start the next attempt, if it is time; addresses that refuse at once are passed over."""
        if self._monotonic() < self._next:
            return
        try:
            self._addresses = self._addresses or self._look_up()
        except OSError as error:
            self._failed(str(error))
        while self._addresses and self._attempt is None:
            family, kind, protocol, _, address = self._addresses.pop(0)
            try:
                self._attempt = _start(socket.socket(family, kind, protocol), address)
            except OSError as error:
                self._failed(str(error))
        self._deadline = self._monotonic() + _ANSWER_SECONDS

    def _look_up(self) -> list[_Address]:
        return list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))

    def _answered(self, attempt: socket.socket, timeout_seconds: float) -> bool:
        poll = select.poll()
        poll.register(attempt, select.POLLOUT)
        if poll.poll(timeout_seconds * 1000):
            return True
        if self._monotonic() >= self._deadline:
            self.close()
            self._failed(f"no answer within {_ANSWER_SECONDS} s")
        return False

    def _failed(self, reason: str) -> None:
        self.failure = reason
        if not self._addresses:
            self.lost()


def _start(attempt: socket.socket, address: Any) -> socket.socket:
    attempt.setblocking(False)
    error = attempt.connect_ex(address)
    if error not in (0, errno.EINPROGRESS):
        attempt.close()
        raise OSError(error, os.strerror(error))
    return attempt


def _refusal(attempt: socket.socket) -> str:
    """Why the attempt has failed; empty if it has not."""
    if error := attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return os.strerror(error)
    try:
        peer = attempt.getpeername()
    except OSError as error:
        return str(error)
    # Where nobody listens, a port of the ephemeral range can be connected to itself.
    return "nobody listens there" if peer == attempt.getsockname() else ""
