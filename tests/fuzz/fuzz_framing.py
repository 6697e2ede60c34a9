"""Coverage-guided fuzzing of the frame parser; `make fuzz` runs it, a finding is an exception.

Whatever the bytes and wherever they are cut: nothing raises, no payload is beyond the limit, and the
pieces give what the whole gives.
"""

import struct
import sys
from itertools import pairwise

import atheris

with atheris.instrument_imports():
    from wallaroo.connectors.tcp.framing import Frames

HEADERS = (">B", "<b", ">H", "<h", ">xH", ">I", "<i", ">Q", "<q")


def fuzz(data: bytes) -> None:
    """One stream, cut into pieces by its own first bytes."""
    given = atheris.FuzzedDataProvider(data)
    length_fmt = HEADERS[given.ConsumeIntInRange(0, len(HEADERS) - 1)]
    max_size = given.ConsumeIntInRange(0, 300)
    cuts = sorted(given.ConsumeIntListInRange(given.ConsumeIntInRange(0, 8), 0, 600))
    stream = given.ConsumeBytes(600)
    whole, pieces = _frames(length_fmt, max_size), _frames(length_fmt, max_size)
    wanted = whole.feed(stream)
    edges = [0, *cuts, len(stream)]
    found = [p for at, end in pairwise(edges) for p in pieces.feed(stream[at:end])]
    assert found == wanted, (found, wanted)
    assert (pieces.error is None) == (whole.error is None)
    assert pieces.partial_bytes == whole.partial_bytes
    assert all(len(payload) <= max_size for payload in wanted)


def _frames(length_fmt: str, max_size: int) -> Frames:
    header = struct.Struct(length_fmt)
    return Frames(header.size, lambda bs: header.unpack(bs)[0], max_size)


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
