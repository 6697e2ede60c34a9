"""JSON of flat mappings, if JSON is exact: the same keys and values come back, of the same types."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from wallaroo.errors import StoredValueError

_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
_decode, _decode_lines = msgspec.json.Decoder().decode, msgspec.json.Decoder().decode_lines
_EXACT = frozenset({int, str, bool, type(None)})
_EXACT_IF_FINITE = _EXACT | {float}
# Longer than this, an integer in it may have too many digits to be read back.
_LONGEST_BYTES = 4000


def exact_json(values: Mapping[str, Any]) -> bytes | None:
    """The JSON; None if a key or a value would come back changed."""
    for name, value in values.items():
        kind = type(value)
        if kind is float:
            # JSON has no infinity and no not-a-number: only these do not differ from themselves by 0.
            if value - value != 0:
                return None
        elif kind not in _EXACT:
            return None
        if type(name) is not str:
            return None
    try:
        made = _encode(values)
    except (ValueError, TypeError, OverflowError):
        return None
    return made if len(made) <= _LONGEST_BYTES else None


def read_json(payload: bytes) -> dict[str, Any]:
    """What `exact_json` was given; StoredValueError if the bytes are no JSON object."""
    found = _decode(payload)
    if type(found) is not dict:
        raise StoredValueError(f"this is no JSON object: {payload[:80]!r}")
    return found


def exact_json_lines(mappings: Sequence[dict[str, Any]], prefix: bytes) -> list[bytes] | None:
    """`exact_json` of each behind a prefix; None if it is None for one of them."""
    if not _EXACT_IF_FINITE.issuperset(map(type, chain.from_iterable(map(dict.values, mappings)))):
        return None
    if not {str}.issuperset(map(type, chain.from_iterable(mappings))):
        return None
    try:
        made = _encode_lines(mappings)
    except (ValueError, TypeError, OverflowError):
        return None
    # msgspec writes null for a float that is not finite.
    if b"null" in made and not all(map(_is_finite, chain.from_iterable(map(dict.values, mappings)))):
        return None
    # All prefixes at once, which is quicker than one by one; there is one too many, behind the last line.
    # A prefix may have a line feed in it; JSON has no zero byte.
    lines = (prefix + made.replace(b"\n", b"\0" + prefix)).split(b"\0")
    del lines[-1]
    return None if max(map(len, lines), default=0) > len(prefix) + _LONGEST_BYTES else lines


def read_json_lines(data: Sequence[bytes], prefix: bytes) -> list[dict[str, Any]] | None:
    """What `exact_json_lines` was given; None if a line may be anything else.

    JSON has no zero byte, so one here stands between two lines. It becomes a line feed, which between braces
    stands between two objects, as JSON escapes those of a text. Each line is at least one object therefore,
    and exactly one if there are as many objects as lines.
    """
    opening, joined, breaks = prefix + b"{", b"\0".join(data), len(data) - 1
    if not joined.startswith(opening) or joined.count(b"\0") != breaks:
        return None
    if joined.count(b"}\0" + opening) != breaks:
        return None
    lines = joined[len(prefix) :].replace(b"\0" + prefix, b"\n")
    try:
        found: list[dict[str, Any]] = _decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if len(found) == len(data) else None


def _is_finite(value: Any) -> bool:
    return type(value) is not float or value - value == 0
