"""Control records: how an upstream task tells the partitions of a topic how far it has come.

1C<idle><watermark><upstream>     without a key; the watermark in nanoseconds, big-endian
"""

from dataclasses import dataclass
from struct import Struct

from wallaroo.errors import StoredValueError
from wallaroo.windows.watermark import Mark

_CONTROL = b"1C"
_header = Struct(">2s?q")


@dataclass(frozen=True, slots=True)
class Report:
    """What one upstream task says; `upstream` is `<sub-topology>/<partition>`."""

    upstream: str
    mark: Mark


def upstream_id(sub_topology: str, partition: int) -> str:
    return f"{sub_topology}/{partition}"


def is_control(key: bytes | None, value: bytes | None) -> bool:
    """Whether a record of an internal topic is one."""
    return key is None and value is not None and value[:2] == _CONTROL


def encode_report(report: Report) -> bytes:
    return _header.pack(_CONTROL, report.mark.idle, report.mark.watermark) + report.upstream.encode()


def decode_report(value: bytes) -> Report:
    """The report; StoredValueError where the bytes are not what `encode_report` makes."""
    if value[:2] != _CONTROL or len(value) <= _header.size or value[2] > 1:
        raise StoredValueError(f"a control record cannot be read: {value[:80]!r}")
    _, idle, watermark = _header.unpack_from(value)
    try:
        return Report(value[_header.size :].decode(), Mark(watermark, idle))
    except UnicodeDecodeError as error:
        raise StoredValueError(f"a control record names no upstream: {value[:80]!r}") from error
