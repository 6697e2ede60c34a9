"""Frames as senders write them: four bytes of length, then the payload."""

import struct


def framed(*payloads: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads)
