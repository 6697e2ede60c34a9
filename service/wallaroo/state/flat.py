"""JSON of a flat mapping, where JSON is exact: the same keys, the same values, of the same types."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wallaroo.errors import StoredValueError

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_EXACT = frozenset({int, str, bool, type(None)})
# Longer than this, an integer in it may have too many digits to be read back.
_LONGEST_BYTES = 4000


def exact_json(values: Mapping[str, Any]) -> bytes | None:
    """The JSON, or None where it would bend something."""
    for name, value in values.items():
        kind = type(value)
        if kind is float:
            # JSON has no infinity and no not-a-number: of these alone the difference to themselves is not 0.
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
    """What `exact_json` was given; StoredValueError where it is no JSON object."""
    found = _decode(payload)
    if type(found) is not dict:
        raise StoredValueError(f"this is no JSON object: {payload[:80]!r}")
    return found
