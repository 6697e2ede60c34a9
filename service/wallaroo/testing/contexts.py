"""A context for a unit test of a function that takes one."""

from collections.abc import Sequence

from wallaroo.api.context import Context, Headers


class _Stated:
    """A RecordReader that says what a test has stated."""

    what = "a test"

    def __init__(
        self, event_time: int, headers: Headers, source: tuple[str, int, int] | None, watermark: int | None
    ) -> None:
        self._event_time = event_time
        self._headers = headers
        self._source = source
        self._watermark = watermark

    def end(self, _key: bytes) -> None:
        """There is no store."""

    def event_time(self, _origin: object) -> int:
        return self._event_time

    def headers(self, _origin: object) -> Headers:
        return self._headers

    def source(self, _origin: object) -> tuple[str, int, int] | None:
        return self._source

    def watermark(self) -> int | None:
        return self._watermark

    def final(self, origin: object) -> bool:
        return bool(getattr(origin, "final", True))


class _Record:
    def __init__(self, *, final: bool) -> None:
        self.final = final


def context(
    key: str | bytes | None = None,
    event_time: int = 0,
    headers: Sequence[tuple[str, bytes | None]] = (),
    source: tuple[str, int, int] | None = None,
    watermark: int | None = None,
    *,
    final: bool = True,
) -> Context:
    """Return a `wallaroo.Context` that says this, for a test that calls a stage's function itself.

    `event_time` and `watermark` are nanoseconds since the Unix epoch, `headers` pairs of a name and bytes or
    None, and `source` the (topic, partition, offset) of the source's record. It does not end.

    Example:

    >>> from wallaroo.testing import context
    >>> said = context(key="Rex", headers=[("tenant", b"7")], source=("transactions", 0, 12))
    >>> said.key, said.headers, said.offset
    ('Rex', (('tenant', b'7'),), 12)
    """
    stated = _Stated(event_time, tuple(headers), source, watermark)
    return Context(key.encode() if isinstance(key, str) else key, _Record(final=final), stated)
