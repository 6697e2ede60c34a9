"""Requests of a transactional producer, one by one: for what a client library would never send."""

import socket
import struct
from collections.abc import Sequence

_ADD_OFFSETS, _END, _COMMIT_OFFSETS, _INIT = 25, 26, 28, 22


class RawProducer:
    """One producer in the protocol before KIP-890; all of its requests must succeed."""

    def __init__(self, servers: str, transactional_id: str, timeout_ms: int = 60_000) -> None:
        host, _, port = servers.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 20)
        self._id = _text(transactional_id)
        answer = self._ask(_INIT, 1, self._id + struct.pack(">i", timeout_ms))
        error, self._producer_id, self._epoch = struct.unpack_from(">hqh", answer, 4)
        assert not error, f"InitProducerId: error {error}"

    def close(self) -> None:
        self._socket.close()

    def add_group(self, group: str) -> None:
        answer = self._ask(_ADD_OFFSETS, 0, self._id + self._who + _text(group))
        assert answer[4:6] == b"\0\0", f"AddOffsetsToTxn: {answer!r}"

    def send_offsets(self, group: str, topic: str, offsets: Sequence[tuple[int, int]]) -> None:
        """Each a partition and an offset."""
        rows = b"".join(struct.pack(">iq", *row) + _text("") for row in offsets)
        body = self._id + _text(group) + self._who + struct.pack(">i", 1) + _text(topic)
        answer = self._ask(_COMMIT_OFFSETS, 0, body + struct.pack(">i", len(offsets)) + rows)
        rest = answer[4 + 4 + 2 + len(topic.encode()) + 4 :]
        assert rest == b"".join(struct.pack(">ih", number, 0) for number, _ in offsets), f"{answer!r}"

    def end(self, committed: bool) -> None:
        answer = self._ask(_END, 0, self._id + self._who + struct.pack(">?", committed))
        assert answer[4:6] == b"\0\0", f"EndTxn: {answer!r}"

    @property
    def _who(self) -> bytes:
        return struct.pack(">qh", self._producer_id, self._epoch)

    def _ask(self, api: int, version: int, body: bytes) -> bytes:
        request = struct.pack(">hhi", api, version, 1) + _text("raw") + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", self._receive(4))
        return self._receive(size)[4:]

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            assert part, "the broker has closed the connection"
            data += part
        return data


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()
