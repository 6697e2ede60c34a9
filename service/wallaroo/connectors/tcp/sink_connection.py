"""One connection of a TCP sink: what the kernel took, and what the peer's kernel has acknowledged."""

import contextlib
import fcntl
import select
import socket
import struct
import sys
import termios
from collections import deque
from collections.abc import Iterator

from wallaroo.connectors.tcp.sockets import keep_alive
from wallaroo.connectors.tcp.tls import TlsEnd

_READ_BYTES = 65_536
_READS_AT_ONCE = 16
_ABORT = struct.pack("ii", 1, 0)


class Connection:
    """Takes over a connected, non-blocking socket; every method raises OSError when the peer is gone."""

    # There is nothing to agree on.
    ready = True

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._block = memoryview(b"")
        self._written_bytes = 0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(sock)

    @property
    def blocked(self) -> bool:
        """The kernel did not take all of the last block."""
        return bool(self._block)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until the peer sends something, or the rest of the block can be written."""
        self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if self._block else 0))
        self._poll.poll(timeout_seconds * 1000)

    def reads(self) -> Iterator[bytes]:
        """What the peer has sent, in pieces; an empty one once it has closed its side."""
        for _ in range(_READS_AT_ONCE):
            try:
                yield self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return

    def peer_open(self) -> bool:
        """Discard what the peer has sent; False once it has closed its side in an orderly way."""
        return all(self.reads())

    def load(self, block: bytes) -> None:
        """Set what `write` sends next; only if nothing is blocked."""
        self._block = memoryview(block)

    def write(self) -> bool:
        """Send what the kernel takes; True if that is all."""
        while self._block:
            try:
                written = self._socket.send(self._block)
            except BlockingIOError:
                return False
            self._written_bytes += written
            self._block = self._block[written:]
        return True

    def acknowledged_bytes(self) -> int:
        """How many of the bytes written so far the peer's kernel has."""
        return self._written_bytes - _unacknowledged_bytes(self._socket)

    def finish(self) -> None:
        """Tell the peer that nothing more will come."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        """Close so that nothing of this connection can arrive after the first byte of the next one."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._socket.close()


class SecureConnection:
    """A sink's connection that is encrypted; to be used like `Connection`.

    The kernel counts encrypted bytes. After each block it is noted how many plain bytes these are, so that
    what is acknowledged can be said of the plain ones.
    """

    def __init__(self, connection: Connection, end: TlsEnd) -> None:
        self._connection = connection
        self._end = end
        self._encrypted_bytes = self._plain_bytes = self._acknowledged = 0
        # (encrypted, plain) bytes up to the end of each block that is not acknowledged.
        self._blocks: deque[tuple[int, int]] = deque()

    @property
    def ready(self) -> bool:
        """Whether the other side is who it should be."""
        return self._end.established

    @property
    def blocked(self) -> bool:
        return self._connection.blocked

    def wait(self, timeout_seconds: float) -> None:
        self._connection.wait(timeout_seconds)

    def peer_open(self) -> bool:
        """Discard what the peer has sent; False once it has said farewell."""
        for data in self._connection.reads():
            self._end.receive(data)
            if self._end.error:
                self._tell_why()
                raise ConnectionAbortedError(self._end.error)
            if self._end.ended:
                return False
            if not data:
                raise ConnectionResetError("the receiver closed the connection without TLS's farewell")
        return True

    def load(self, block: bytes) -> None:
        self._end.encrypt(block)
        self._plain_bytes += len(block)
        self._load_encrypted()
        self._blocks.append((self._encrypted_bytes, self._plain_bytes))

    def write(self) -> bool:
        try:
            while self._connection.write():
                if not self._load_encrypted():
                    return True
        except OSError:
            # It may have said why before it closed the connection.
            self.peer_open()
            raise
        return False

    def acknowledged_bytes(self) -> int:
        acknowledged = self._connection.acknowledged_bytes()
        while self._blocks and self._blocks[0][0] <= acknowledged:
            self._acknowledged = self._blocks.popleft()[1]
        return self._acknowledged

    def finish(self) -> None:
        self._end.say_farewell()
        self.write()
        self._connection.finish()

    def close(self) -> None:
        self._connection.close()

    def abort(self) -> None:
        self._connection.abort()

    def _tell_why(self) -> None:
        """Let the peer have TLS's alert, if that is possible."""
        if not self._connection.blocked:
            self._load_encrypted()
            self._connection.write()

    def _load_encrypted(self) -> int:
        encrypted = self._end.take()
        self._connection.load(encrypted)
        self._encrypted_bytes += len(encrypted)
        return len(encrypted)


def _unacknowledged_bytes(sock: socket.socket) -> int:
    """Linux's SIOCOUTQ; 0 on a system that cannot tell, where the hold time alone has to do."""
    try:
        answer = fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)
