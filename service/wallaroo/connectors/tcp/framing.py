"""Cut a stream of bytes into payloads, each preceded by a header that tells its length. No I/O.

Rules for whoever edits this file:
1. Bytes come in pieces of any size; where the pieces end makes no difference to the payloads.
2. A header is valid only if it announces 0 to `max_size` bytes. The first invalid one ends the stream: nobody
   can know where the next frame would begin.
3. A large payload that comes in many small pieces is copied a few times in all, not once per piece.
"""

from collections.abc import Callable

from wallaroo.errors import FramingError, Interrupt, text_of
from wallaroo.topology.model import Ingest


class Frames:
    """The frames of one connection; `payload_length` reads their headers of `header_length` bytes.

    `error` is None until a header is invalid; from then on everything is ignored.
    """

    def __init__(self, header_length: int, payload_length: Callable[[bytes], int], max_size: int) -> None:
        self.error: FramingError | None = None
        self._header_length = header_length
        self._payload_length = payload_length
        self._max_size = max_size
        self._pending = bytearray()
        self._wanted = header_length

    @property
    def partial_bytes(self) -> int:
        """The size of what has come of an incomplete frame."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that these bytes complete."""
        if self.error is not None:
            return []
        if self._pending or len(data) < self._wanted:
            self._pending += data
            if len(self._pending) < self._wanted:
                return []
            data = bytes(self._pending)
            self._pending.clear()
        payloads: list[bytes] = []
        try:
            cut = self._cut(data, payloads)
        except Interrupt:
            raise
        except BaseException as error:  # a function of the user's, given bytes of anybody's
            self._refuse(f"a header cannot be read: {text_of(error, repr)}")
        else:
            self._pending += data[cut:]
        return payloads

    def _cut(self, data: bytes, payloads: list[bytes]) -> int:
        """Add the payloads in `data`, which begins with a header; returns where the rest begins."""
        header, payload_length, max_size = self._header_length, self._payload_length, self._max_size
        begin, size = 0, len(data)
        while (body := begin + header) <= size:
            length = payload_length(data[begin:body])
            if not 0 <= length <= max_size:
                self._refuse(
                    f"the header {data[begin:body]!r} announces {length!r} bytes, of at most {max_size}"
                )
                return size
            if body + length > size:
                self._wanted = header + length
                return begin
            begin = body + length
            payloads.append(data[body:begin])
        self._wanted = header
        return begin

    def _refuse(self, problem: str) -> None:
        self.error = FramingError(
            f"{problem}; see that the sender writes frames as the decoder's header_length and length_fmt "
            "say, and that max_size is large enough"
        )


def new_frames(ingest: Ingest) -> Frames:
    """For a new connection to this port."""
    return Frames(ingest.header_length, ingest.payload_length, ingest.max_size)
