"""ReplayWindow: how long a task stays careful after user code has raised."""

from collections.abc import Sequence

from wallaroo.record import RawRecord

# In records.
_FIRST = 1_000
_LONGEST = 64_000


class ReplayWindow:
    """The offsets that are gone through carefully; a stream that keeps failing is kept in careful form."""

    def __init__(self, start: int) -> None:
        self._until = start - 1
        self._extent = 0
        self._records_per_offset = 1

    def see(self, records: Sequence[RawRecord]) -> None:
        """Look at a slice: with packs in it there are more records than offsets."""
        offsets = records[-1].offset() - records[0].offset() + 1
        self._records_per_offset = max(1, len(records) // offsets)

    def lasts(self, offset: int) -> bool:
        return offset <= self._until

    def failed(self, offset: int) -> None:
        """User code raised at full speed: everything up to here will be read again."""
        distance = (offset - self._until) * self._records_per_offset
        recently = distance < _LONGEST and self._extent
        self._extent = min(self._extent * 2, _LONGEST) if recently else _FIRST
        self._until = offset + self._extent // self._records_per_offset

    def failed_again(self, offset: int) -> None:
        """User code raised while care was taken: without more of it the stream is read again and again."""
        self._until = max(self._until, offset + self._extent // self._records_per_offset)
