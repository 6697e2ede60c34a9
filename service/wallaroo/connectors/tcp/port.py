"""Listening sockets: every worker of a host has one on the same port, and the kernel shares senders out."""

import errno
import socket
from typing import Any

from wallaroo.errors import SettingsError

_BACKLOG = 128
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
# "localhost" may stand for an address of a family that this machine does not have.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def listen(source: str, host: str, port: int) -> list[socket.socket]:
    """Non-blocking listening sockets, one for each address of the host.

    Raises SettingsError, naming the source, where nobody can listen there.
    """
    sockets = _bind(source, host, port, shared=True)
    for sock in sockets:
        sock.listen(_BACKLOG)
    return sockets


def is_free(source: str, host: str, port: int) -> bool:
    """Whether nobody listens there; False where another process of this user does, and would share.

    Raises SettingsError, naming the source, where nobody else can listen there.
    """
    _close(_bind(source, host, port, shared=True))
    try:
        _close(_bind(source, host, port, shared=False))
    except SettingsError:
        return False
    return True


def accept(listener: socket.socket) -> tuple[socket.socket, str]:
    """The next sender, as a non-blocking socket, and its address; OSError where there is none to be had."""
    connection, peer = listener.accept()
    connection.setblocking(False)
    # A sender whose machine has vanished must not keep its place for ever.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection, f"{peer[0]}:{peer[1]}"


def _bind(source: str, host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """A socket for each address that this machine has; for one, where the system chooses the port."""
    bound: list[socket.socket] = []
    failure: OSError | None = None
    try:
        for family, _, _, _, address in _addresses(host, port):
            try:
                bound.append(_bound(family, address, shared=shared))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                failure = error
            if bound and port == 0:
                break
    except OSError as error:
        _close(bound)
        raise _refusal(source, host, port, error) from error
    if not bound and failure is not None:
        raise _refusal(source, host, port, failure) from failure
    return bound


def _addresses(host: str, port: int) -> list[Any]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(found))


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


def _refusal(source: str, host: str, port: int, error: OSError) -> SettingsError:
    advice = {
        errno.EADDRINUSE: "stop what listens there, or give the source another port",
        errno.EACCES: "give the source a port above 1023, or let this user have it",
    }
    what = advice.get(
        error.errno or 0, "give the source an address of this machine, or 0.0.0.0 for all of them"
    )
    return SettingsError(f"the source {source!r} cannot listen on {host}:{port}: {error.strerror}; {what}")
