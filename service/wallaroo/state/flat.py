"""JSON of a flat mapping, where JSON is exact: the same keys, the same values, of the same types."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wallaroo.errors import StoredValueError

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_EXACT = frozenset({int, float, str, bool, type(None)})
# Longer than this, an integer in it may have too many digits to be read back.
_LONGEST_BYTES = 4000


def exact_json(values: Mapping[str, Any]) -> bytes | None:
    """The JSON, or None where it would bend something."""
    for name, value in values.items():
        if type(value) not in _EXACT or type(name) is not str:
            return None
    try:
        made = _encode(values)
    except (ValueError, TypeError, OverflowError):
        return None
    # null may be None, or what JSON has for infinity and not-a-number.
    return None if b"null" in made or len(made) > _LONGEST_BYTES else made


def read_json(payload: bytes) -> dict[str, Any]:
    """What `exact_json` was given; StoredValueError where it is no JSON object."""
    found = _decode(payload)
    if type(found) is not dict:
        raise StoredValueError(f"this is no JSON object: {payload[:80]!r}")
    return found
