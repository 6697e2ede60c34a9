"""Requests of a transactional producer, one by one: for what a client library would never send."""

import socket
import struct
import time
from collections.abc import Sequence

_PRODUCE, _INIT, _ADD_PARTITIONS, _ADD_OFFSETS, _END, _COMMIT_OFFSETS = 0, 22, 24, 25, 26, 28
_TRANSACTIONAL = 0x10


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

    def add_partition(self, topic: str, number: int) -> None:
        body = self._id + self._who + struct.pack(">i", 1) + _text(topic) + struct.pack(">ii", 1, number)
        answer = self._ask(_ADD_PARTITIONS, 0, body)
        assert answer[-2:] == b"\0\0", f"AddPartitionsToTxn: {answer!r}"

    def produce(self, topic: str, number: int, key: bytes, value: bytes, sequence: int) -> None:
        """One record; the first one of a partition has the sequence number 0."""
        batch = self._batch(key, value, sequence)
        place = struct.pack(">i", 1) + _text(topic) + struct.pack(">ii", 1, number)
        body = self._id + struct.pack(">hi", -1, 20_000) + place + struct.pack(">i", len(batch)) + batch
        answer = self._ask(_PRODUCE, 3, body)
        (error,) = struct.unpack_from(">h", answer, 4 + 2 + len(topic.encode()) + 4 + 4)
        assert not error, f"Produce: error {error}"

    def _batch(self, key: bytes, value: bytes, sequence: int) -> bytes:
        fields = b"\0\0\0" + _varint(len(key)) + key + _varint(len(value)) + value + b"\0"
        now = time.time_ns() // 1_000_000
        head = struct.pack(">hiqq", _TRANSACTIONAL, 0, now, now) + self._who + struct.pack(">ii", sequence, 1)
        checked = head + _varint(len(fields)) + fields
        rest = struct.pack(">ibI", -1, 2, _crc32c(checked)) + checked
        return struct.pack(">qi", 0, len(rest)) + rest

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


def _varint(value: int) -> bytes:
    """A length that is not negative, in the zigzag form of records."""
    value, made = value * 2, b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
