"""One established connection of a sink: bytes go out, and what comes in is thrown away."""

import contextlib
import fcntl
import select
import socket
import struct
import sys
import termios

_READ_BYTES = 65_536
_READS_AT_ONCE = 16
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_ABORT = struct.pack("ii", 1, 0)


class Connection:
    """Takes over a connected, non-blocking socket; every method raises OSError when the peer is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._block = memoryview(b"")
        self._written_bytes = 0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    @property
    def blocked(self) -> bool:
        """The kernel did not take all of the last block."""
        return bool(self._block)

    def wait(self, timeout_seconds: float) -> None:
        """Until the peer says something, or the rest of the block can be written."""
        self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if self._block else 0))
        self._poll.poll(timeout_seconds * 1000)

    def peer_open(self) -> bool:
        """Throw away what the peer has said; False once it has closed its side in an orderly way."""
        for _ in range(_READS_AT_ONCE):
            try:
                if not self._socket.recv(_READ_BYTES):
                    return False
            except BlockingIOError:
                return True
        return True

    def load(self, block: bytes) -> None:
        """What `write` sends next; only where nothing is blocked."""
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
        """How much of what was ever written the peer's kernel has."""
        return self._written_bytes - _unacknowledged_bytes(self._socket)

    def finish(self) -> None:
        """Say that nothing more will come."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        """Close so that nothing of this connection can arrive after the first byte of the next one."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._socket.close()


def _unacknowledged_bytes(sock: socket.socket) -> int:
    """Linux's SIOCOUTQ; 0 on a system that cannot tell, where the hold time alone has to do."""
    try:
        answer = fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)
