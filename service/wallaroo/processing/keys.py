"""Keys inside the engine are bytes, whatever the user's extractor returns."""

from typing import Any

from wallaroo.errors import RecordError


def key_bytes(name: str, key: Any) -> bytes:
    """The canonical key: str as UTF-8, bytes as they are, an int as decimal text; else RecordError."""
    match key:
        case str():
            return key.encode()
        case bytes():
            return key
        case bool():
            pass
        case int():
            return b"%d" % key
    raise RecordError(
        f"the key extractor {name!r} returned {key!r}, a {type(key).__name__}; return a str, bytes or an int"
    )
