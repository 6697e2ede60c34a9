"""Coverage-guided fuzzing of what windows and watermarks keep in topics; `make fuzz` runs it.

Made up or damaged, a value is what `encode` would have written, or it is a StoredValueError.
"""

import sys
from collections.abc import Callable
from typing import Any

import atheris
from pieces import made_up_and_damaged

with atheris.instrument_imports():
    from wallaroo.errors import StoredValueError
    from wallaroo.serde.codecs import codecs_of
    from wallaroo.serde.formats import CONTROL_1, WATERMARK_1
    from wallaroo.windows.control import decode_report, encode_report
    from wallaroo.windows.count import Counted, CountedCodec, Numbered, NumberedCodec
    from wallaroo.windows.early import EarlyCodec, EarlyContents, split_early
    from wallaroo.windows.grid import Contents, Grid
    from wallaroo.windows.stored_ranges import ContentsCodec, window_reader
    from wallaroo.windows.stored_sessions import Session, Sessions, SessionsCodec, session_reader
    from wallaroo.windows.watermark import WatermarkCodec, WatermarkStatus

GRIDS = (Grid(10, 10, 0), Grid(9, 3, 4), Grid(7, 5, 1), Grid(9, 3, 4, 2))
MARKS = WatermarkCodec()
VALUES = codecs_of(None).values
WHOLE = tuple(ContentsCodec(grid, VALUES.encode, VALUES.decode) for grid in GRIDS)
PLAIN = tuple(ContentsCodec(grid, bytes, bytes) for grid in GRIDS)
# Of bytes, so that all of a value is the format's; and of values, as in a service.
PLAIN_COUNTED = CountedCodec(bytes, bytes)
COUNTED = CountedCodec(VALUES.encode, VALUES.decode)
NUMBERED = NumberedCodec(bytes, bytes)
GAPS = (1, 10, 2**62)
SESSIONS = tuple(SessionsCodec(gap, bytes, bytes) for gap in GAPS)
WHOLE_SESSIONS = SessionsCodec(GAPS[0], VALUES.encode, VALUES.decode)
EARLY = tuple(map(EarlyCodec, PLAIN))
KINDS = (b"1W", b"2W", b"1Q", b"1N", b"2N", b"1T", b"1C", b"1P", b"")


def contents_of(grid: Grid, panes: dict[int, Any], extras: dict[int, Any]) -> Contents:
    made = Contents(panes, extras)
    made.window = min([*extras, *map(grid.oldest_window, panes)])
    return made


def early_of(grid: Grid, panes: dict[int, Any]) -> EarlyContents:
    made = contents_of(grid, panes, {})
    assert made.window is not None
    return EarlyContents(made.panes, {}, made.window, {made.window: 5, made.window + 1: 7})


SAMPLES = (
    *(PLAIN[n].encode(contents_of(grid, {4: b"a", 5: b"bc"}, {})) for n, grid in enumerate(GRIDS)),
    *(PLAIN[n].encode(contents_of(grid, {7: b""}, {1: b"late"})) for n, grid in enumerate(GRIDS)),
    *(WHOLE[n].encode(contents_of(grid, {4: [1, "x"]}, {})) for n, grid in enumerate(GRIDS)),
    PLAIN_COUNTED.encode(Counted(3, b"abc")),
    COUNTED.encode(Counted(2, {"total": 1})),
    NUMBERED.encode(Numbered(3, b"abc", 2**40)),
    *(
        made.encode(Sessions([Session(0, 7, b"a"), Session(2**62 + 9, 2**62 + 9, b"", 3)]))
        for made in SESSIONS
    ),
    WHOLE_SESSIONS.encode(Sessions([Session(-3, 7, [1, "x"], 0)])),
    *(EARLY[n].encode(early_of(grid, {4: b"a"})) for n, grid in enumerate(GRIDS)),
    MARKS.encode(WatermarkStatus(10**18, idle=True)),
    encode_report("in/0", WatermarkStatus(10**18, idle=False)),
)
OLDER = {CONTROL_1, WATERMARK_1, b"2N"}


def fuzz(data: bytes) -> None:
    """Every reader gets both."""
    for value in made_up_and_damaged(data, KINDS, SAMPLES, 200):
        _read_all(value)


def _read_all(data: bytes) -> None:
    for grid, plain, whole in zip(GRIDS, PLAIN, WHOLE, strict=True):
        _read_contents(grid, plain, data)
        _read(whole.decode, data)
    for decode, encode in (
        (MARKS.decode, MARKS.encode),
        (decode_report, lambda report: encode_report(*report)),
        (PLAIN_COUNTED.decode, PLAIN_COUNTED.encode),
    ):
        found = _read(decode, data)
        # What older versions wrote is written anew; a number that is not asked for is read, and left out.
        made = None if found is None else encode(found)
        assert made in (None, data) or (data[:2] in OLDER and encode(decode(made)) == made), (data, found)
    for codec in (NUMBERED, *EARLY):
        found = _read(codec.decode, data)
        # What was written by the codec without is written anew by this one.
        assert found is None or codec.encode(_read(codec.decode, codec.encode(found))) == codec.encode(found)
    for gap, codec in zip(GAPS, SESSIONS, strict=True):
        _read(session_reader(gap), data)
        found = _read(codec.decode, data)
        assert found is None or codec.encode(found) == data, (data, found)
    for decode in (COUNTED.decode, WHOLE_SESSIONS.decode):
        _read(decode, data)


def _read_contents(grid: Grid, plain: ContentsCodec, data: bytes) -> None:
    window = _read(window_reader(grid), data)
    found = _read(plain.decode, data)
    if found is None:
        return
    assert window is not None
    assert found.window in (window, None)
    # The delay may have been another, so the due time is not compared; panes and extras may be mixed.
    again = plain.decode(plain.encode(found))
    assert (again.panes, again.extras, again.window) == (found.panes, found.extras, found.window)
    assert len(plain.encode(found)) == len(split_early(data)[1]), data


def _read(decode: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return decode(data)
    except StoredValueError:
        return None


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
