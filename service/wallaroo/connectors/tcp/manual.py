"""A sender and a receiver for trying an application out: Wallaroo had one of each."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import closing

from wallaroo.errors import SettingsError

_CONNECT_SECONDS = 10.0
_MOST_BYTES = 65_536


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT; raises SettingsError if it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004 - the largest port
        raise SettingsError(f"{text!r} is no address; give HOST:PORT, for example 127.0.0.1:7010")
    return host.strip("[]"), int(port)


def send(address: tuple[str, int], frames: Iterable[bytes]) -> int:
    """Send frames to a TCP source, one after the other; returns how many.

    Raises SettingsError if it is away, or goes away.
    """
    sent = 0
    try:
        with socket.create_connection(address, _CONNECT_SECONDS) as connection:
            connection.settimeout(None)
            for frame in frames:
                connection.sendall(frame)
                sent += 1
            # The other side closes when it has read everything.
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(_CONNECT_SECONDS)
            while connection.recv(_MOST_BYTES):
                pass
    except OSError as error:
        place = f"{address[0]}:{address[1]}"
        raise SettingsError(
            f"after {sent} records, {place} takes no more: {error.strerror or error}"
        ) from error
    return sent


def receive(address: tuple[str, int]) -> Iterator[bytes]:
    """What connections send to this address, one connection after the other, as it comes, without an end.

    Raises SettingsError if nobody can listen there.
    """
    try:
        listener = socket.create_server(
            address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        )
    except OSError as error:
        place = f"{address[0]}:{address[1]}"
        raise SettingsError(f"nobody can listen on {place}: {error.strerror or error}") from error
    with closing(listener):
        while True:
            connection, _peer = listener.accept()
            with closing(connection):
                while data := _received(connection):
                    yield data


def _received(connection: socket.socket) -> bytes:
    """The next bytes; none when the connection has ended, however it did."""
    try:
        return connection.recv(_MOST_BYTES)
    except OSError:
        return b""
