"""Sockets: dial a receiver that may be away, and listen for senders.

Every worker of a host listens on the same port, and the kernel distributes the senders.
"""

import errno
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

from wallaroo.errors import SettingsError

# How long to wait before a receiver is tried again; the wait doubles from the first to the longest.
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 2.0
_ANSWER_SECONDS = 5.0

_BACKLOG = 128
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
# "localhost" may stand for an address of a family that this machine does not have.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

# What getaddrinfo returns for one address: family, type, protocol, canonical name, address.
_Address = tuple[int, int, int, str, Any]


class Dialer:
    """Connects without blocking; every address of the host name is tried before it waits.

    One attempt at a time. The wait doubles until `reset_wait`. Only the look-up of the name may block.
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
            self._start_attempt()
        if self._attempt is None or not self._answered(self._attempt, timeout_seconds):
            return None
        attempt, self._attempt = self._attempt, None
        if reason := refusal(attempt):
            attempt.close()
            self._failed(reason)
            return None
        self._addresses = []
        return attempt

    def wait(self) -> None:
        """Give the receiver a moment before the next attempt."""
        self._next = self._monotonic() + self._wait_seconds
        self._wait_seconds = min(2 * self._wait_seconds, LONGEST_WAIT_SECONDS)

    def reset_wait(self) -> None:
        """The receiver takes records: the next wait is the shortest again."""
        self._wait_seconds = FIRST_WAIT_SECONDS

    def close(self) -> None:
        if self._attempt is not None:
            self._attempt.close()
            self._attempt = None

    def _start_attempt(self) -> None:
        """Start the next attempt if it is time; addresses that refuse at once are passed over."""
        if self._monotonic() < self._next:
            return
        try:
            if not self._addresses:
                self._addresses = list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))
        except OSError as error:
            self._failed(str(error))
        while self._addresses and self._attempt is None:
            family, kind, protocol, _, address = self._addresses.pop(0)
            try:
                self._attempt = _connecting(socket.socket(family, kind, protocol), address)
            except OSError as error:
                self._failed(str(error))
        self._deadline = self._monotonic() + _ANSWER_SECONDS

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
            self.wait()


def listen(source: str, host: str, port: int) -> list[socket.socket]:
    """Non-blocking listening sockets, one for each address of the host.

    Raises SettingsError, naming the source, if this process cannot listen there.
    """
    sockets = _bind(source, host, port, shared=True)
    for sock in sockets:
        sock.listen(_BACKLOG)
    return sockets


def is_free(source: str, host: str, port: int) -> bool:
    """Whether nobody listens there; False if another process of this user does and would share the port.

    Raises SettingsError, naming the source, if this process cannot listen there.
    """
    _close(_bind(source, host, port, shared=True))
    try:
        _close(_bind(source, host, port, shared=False))
    except SettingsError:
        return False
    return True


def accept(listener: socket.socket) -> tuple[socket.socket, str]:
    """The next sender's non-blocking socket and its address; OSError if there is none."""
    connection, peer = listener.accept()
    connection.setblocking(False)
    # A sender whose machine has vanished must not keep its place for ever.
    keep_alive(connection)
    return connection, f"{peer[0]}:{peer[1]}"


def someone_waits(listeners: Sequence[socket.socket]) -> bool:
    """Whether a sender has connected that has not been accepted."""
    poll = select.poll()
    for listener in listeners:
        poll.register(listener, select.POLLIN)
    return bool(listeners and poll.poll(0))


def keep_alive(connection: socket.socket) -> None:
    """Have the kernel end a connection whose peer no longer answers."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def refusal(attempt: socket.socket) -> str:
    """Why the attempt has failed; empty if it has not."""
    if error := attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return os.strerror(error)
    try:
        peer = attempt.getpeername()
    except OSError as error:
        return str(error)
    # Where nobody listens, a port of the ephemeral range can be connected to itself.
    return "nobody listens there" if peer == attempt.getsockname() else ""


def _connecting(attempt: socket.socket, address: Any) -> socket.socket:
    attempt.setblocking(False)
    error = attempt.connect_ex(address)
    if error not in (0, errno.EINPROGRESS):
        attempt.close()
        raise OSError(error, os.strerror(error))
    return attempt


def _bind(source: str, host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """A socket for each address of this machine; only for one if the system chooses the port."""
    bound: list[socket.socket] = []
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # The system may name an address twice.
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                bound.append(_bound(family, address, shared=shared))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                failure = error
            if bound and port == 0:
                break
        if failure is not None and not bound:
            raise failure
    except OSError as error:
        _close(bound)
        raise _cannot_listen(source, host, port, error) from error
    return bound


def _bound(family: int, address: Any, *, shared: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _cannot_listen(source: str, host: str, port: int, error: OSError) -> SettingsError:
    advice = {
        errno.EADDRINUSE: "stop what listens there, or give the source another port",
        errno.EACCES: "give the source a port above 1023, or let this user have it",
    }
    what = advice.get(
        error.errno or 0, "give the source an address of this machine, or 0.0.0.0 for all of them"
    )
    return SettingsError(f"the source {source!r} cannot listen on {host}:{port}: {error.strerror}; {what}")
