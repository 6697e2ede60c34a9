"""Patience: how long a task stays careful after user code has raised."""

_FIRST = 1_000
_LONGEST = 64_000


class Patience:
    """The offsets that are gone through carefully; a stream that keeps failing is kept in careful form."""

    def __init__(self, start: int) -> None:
        self._until = start - 1
        self._extent = 0

    def lasts(self, offset: int) -> bool:
        return offset <= self._until

    def failed(self, offset: int) -> None:
        """User code raised at full speed: everything up to here will be read again."""
        recently = offset - self._until < _LONGEST and self._extent
        self._extent = min(self._extent * 2, _LONGEST) if recently else _FIRST
        self._until = offset + self._extent

    def failed_again(self, offset: int) -> None:
        """User code raised while care was taken: without more of it the stream is read again and again."""
        self._until = max(self._until, offset + self._extent)
