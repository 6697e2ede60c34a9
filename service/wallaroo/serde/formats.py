"""Every format tag: the two bytes in front of all that is stored or crosses an internal topic.

Rules for whoever edits this file:
1. The first byte is the format version, the second the kind. In one place a tag never gets another layout.
2. A new version reads whatever an older one has written: add a tag with its `since`, and keep the old reader.
3. `docs/formats.md` says the same to operators; `tests/unit/serde/test_formats.py` compares the two.
"""

import re
from typing import Literal, NamedTuple

# An object that is its attributes; a model; any object.
ATTRIBUTES_JSON, ATTRIBUTES_PICKLE, MODEL_JSON, PICKLE = b"1J", b"1D", b"1M", b"1P"
DICT_JSON, TEXT, BYTES = b"1O", b"1S", b"1B"
USER = b"1U"
AGED_STATE = b"1L"
GENERATOR, GENERATOR_VALUE, GENERATOR_END = b"1G", b"1V", b"1E"
RANGE_WINDOWS, COUNT_WINDOW, WATERMARK, WATERMARK_1 = b"1W", b"1N", b"2T", b"1T"
RANGE_WINDOWS_EARLY, COUNT_WINDOW_2, SESSIONS = b"2W", b"2N", b"1Q"
BATCH_MILLISECONDS, BATCH_NANOSECONDS, CONTROL, CONTROL_1 = b"2R", b"2X", b"2C", b"1C"
BATCH_MILLISECONDS_1, BATCH_NANOSECONDS_1 = b"1R", b"1X"
BATCH_WITH_HEADERS = b"3X"
TASK_POSITION, OFFSET_METADATA, HOLE_METADATA, RESET_METADATA = b"1A", b"1I", b"1H", b"1Z"

# In a changelog; in the value of a record of a repartition or ingest topic; in the topic of a generator's
# positions; in a record without a key of a repartition topic; in the metadata of a committed offset.
Place = Literal["state", "message", "position", "record without a key", "offset metadata"]


class Format(NamedTuple):
    """What follows a tag in one place, and the first version that reads it."""

    tag: bytes
    place: Place
    layout: str
    since: str = "0.1"


FORMATS = (
    Format(ATTRIBUTES_JSON, "state", "JSON object of the attributes"),
    Format(ATTRIBUTES_PICKLE, "state", "pickled dict of the attributes"),
    Format(MODEL_JSON, "state", "JSON of a pydantic model"),
    Format(PICKLE, "state", "pickle"),
    Format(USER, "state", "what `serialize` returned"),
    Format(AGED_STATE, "state", "latest event time, state", "0.2"),
    Format(RANGE_WINDOWS, "state", "due time, grid, next window, entries"),
    Format(RANGE_WINDOWS_EARLY, "state", "windows with early results, range windows as in `1W`", "0.2"),
    Format(SESSIONS, "state", "gap, entries", "0.2"),
    Format(COUNT_WINDOW, "state", "count, accumulator"),
    Format(COUNT_WINDOW_2, "state", "number, count, accumulator", "0.2"),
    Format(WATERMARK_1, "state", "idle, watermark"),
    Format(WATERMARK, "state", "idle, watermark, position, base, since", "0.2"),
    Format(TASK_POSITION, "state", "JSON object"),
    Format(ATTRIBUTES_JSON, "message", "class, line feed, JSON object of the attributes"),
    Format(ATTRIBUTES_PICKLE, "message", "class, line feed, pickled dict of the attributes"),
    Format(MODEL_JSON, "message", "class, line feed, JSON of a pydantic model"),
    Format(DICT_JSON, "message", "JSON object"),
    Format(TEXT, "message", "text in UTF-8"),
    Format(BYTES, "message", "the bytes"),
    Format(PICKLE, "message", "pickle"),
    Format(USER, "message", "what `serialize` returned"),
    Format(GENERATOR, "position", "message: the pair of generator and next value"),
    Format(USER, "position", "message: the same pair by `serialize`"),
    Format(GENERATOR_VALUE, "position", "message: the next value"),
    Format(GENERATOR_END, "position", "nothing"),
    Format(BATCH_MILLISECONDS_1, "record without a key", "MessagePack of entries, times in milliseconds"),
    Format(BATCH_NANOSECONDS_1, "record without a key", "MessagePack of entries, times in nanoseconds"),
    Format(BATCH_MILLISECONDS, "record without a key", "places, entries, times in milliseconds", "0.2"),
    Format(BATCH_NANOSECONDS, "record without a key", "places, entries, times in nanoseconds", "0.2"),
    Format(BATCH_WITH_HEADERS, "record without a key", "places, entries with headers", "0.2"),
    Format(CONTROL_1, "record without a key", "idle, watermark, upstream"),
    Format(CONTROL, "record without a key", "idle, watermark, position, upstream", "0.2"),
    Format(OFFSET_METADATA, "offset metadata", "topic id, short names and topic ids of changelogs"),
    Format(HOLE_METADATA, "offset metadata", "offset from which on results are missing"),
    Format(RESET_METADATA, "offset metadata", "nothing", "0.2"),
)


_TAGS = frozenset(each.tag for each in FORMATS)
_LIKE_A_TAG = re.compile(rb"[1-9][A-Z]")


def is_foreign(data: bytes | None) -> bool:
    """Whether bytes do not claim to be ours, of whatever version: all that is stored begins with a tag."""
    return data is not None and data[:2] not in _TAGS and _LIKE_A_TAG.match(data) is None


def unknown_format(what: str, data: bytes) -> str:
    """The text of an error about a tag that this version does not know."""
    writer = "a newer version of Wallaroo, or not by Wallaroo"
    return f"{what} has the unknown format {data[:2]!r}: written by {writer}: {data[:80]!r}"


def strip_format_tag(data: bytes | None) -> bytes | None:
    """A message without its tag and class, if a person can use the rest elsewhere: JSON, text or bytes."""
    if data is None:
        return None
    if data.startswith((DICT_JSON, TEXT, BYTES, USER)):
        return data[2:]
    if data.startswith((MODEL_JSON, ATTRIBUTES_JSON)):
        return data.partition(b"\n")[2]
    return data
