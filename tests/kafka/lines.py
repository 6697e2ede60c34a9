"""LineReceiver: a TCP receiver that keeps every whole line of every connection."""

import contextlib
import socket
import threading


class LineReceiver:
    """Listens on a port of its own until `close`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._brought: list[bytearray] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lines(self) -> list[bytes]:
        return [line for brought in list(self._brought) for line in bytes(brought).split(b"\n")[:-1]]

    def everything(self) -> bytes:
        """What has been brought, connection by connection."""
        return b"".join(bytes(brought) for brought in list(self._brought))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._brought.append(bytearray())
            threading.Thread(target=self._read, args=(connection, self._brought[-1]), daemon=True).start()

    def _read(self, connection: socket.socket, brought: bytearray) -> None:
        with connection, contextlib.suppress(OSError):
            while block := connection.recv(65_536):
                brought += block
