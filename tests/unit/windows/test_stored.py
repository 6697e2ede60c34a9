"""Bytes of windows and watermarks: all comes back, and what was not written by us is a StoredValueError."""

import pickle
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallaroo.errors import StoredValueError
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.windows.control import decode_report, encode_report, is_control
from wallaroo.windows.count import Counted, CountedCodec
from wallaroo.windows.early import EarlyCodec, EarlyContents
from wallaroo.windows.grid import Contents, Grid
from wallaroo.windows.stored_ranges import ContentsCodec, window_reader
from wallaroo.windows.stored_sessions import Session, Sessions, SessionsCodec, session_reader
from wallaroo.windows.watermark import NEVER, UNKNOWN, Pause, WatermarkCodec, WatermarkStatus

GRID = Grid(9, 3, 1)
INNER = state_codec(list, RestrictedPickle(["tests"]))
CODEC = ContentsCodec(GRID, INNER.encode, INNER.decode)
COUNTED = CountedCodec(INNER.encode, INNER.decode)
SESSIONS = SessionsCodec(10, INNER.encode, INNER.decode)
EARLY = EarlyCodec(CODEC)

accumulators = st.lists(st.integers() | st.text(max_size=3), max_size=3)
panes = st.dictionaries(st.integers(-(2**60), 2**60), accumulators, min_size=1, max_size=4)
marks = st.builds(WatermarkStatus, st.integers(NEVER, 2**63 - 1), st.booleans())


def contents(held, extra=None):
    made = Contents()
    made.panes = dict(held)
    made.window = GRID.oldest_window(min(held))
    if extra is not None:
        made.extras[made.window + 1] = extra
    return made


@given(panes, st.none() | accumulators)
def test_contents_come_back(held, extra):
    made = contents(held, extra)
    back = CODEC.decode(CODEC.encode(made))
    assert (back.panes, back.extras, back.window) == (made.panes, made.extras, made.window)


def test_empty_contents_come_back():
    back = CODEC.decode(CODEC.encode(Contents()))
    assert (back.panes, back.extras, back.window) == ({}, {}, None)


@given(panes)
def test_the_next_due_time_and_window_can_be_read_without_decoding(held):
    data = CODEC.encode(contents(held))
    window = GRID.oldest_window(min(held))
    assert window_reader(GRID)(data) == window
    assert data[:2] == b"1W"
    assert struct.unpack(">q", data[2:10])[0] == GRID.due(window)


def test_a_due_time_beyond_all_clocks_is_written_as_the_last():
    far = Contents()
    far.panes, far.window = {2**62: [1]}, GRID.oldest_window(2**62)
    assert struct.unpack(">q", CODEC.encode(far)[2:10])[0] == 2**63 - 1


def test_windows_of_another_delay_can_be_read():
    other = ContentsCodec(Grid(9, 3, 500), INNER.encode, INNER.decode)
    assert other.decode(CODEC.encode(contents({4: [1]}))).panes == {4: [1]}


@pytest.mark.parametrize("grid", [Grid(9, 9, 1), Grid(10, 3, 1), Grid(18, 6, 1), Grid(9, 3, 1, 1)])
def test_windows_of_another_range_slide_or_offset_are_refused(grid):
    data = CODEC.encode(contents({4: [1]}))
    with pytest.raises(StoredValueError, match="another range or slide"):
        window_reader(grid)(data)
    with pytest.raises(StoredValueError, match="another range or slide"):
        ContentsCodec(grid, INNER.encode, INNER.decode).decode(data)


@given(st.integers(0, 2**40), accumulators)
def test_a_count_window_comes_back(count, accumulator):
    made = Counted()
    made.count, made.accumulator = count, accumulator if count else None
    back = COUNTED.decode(COUNTED.encode(made))
    assert (back.count, back.accumulator) == (made.count, made.accumulator)


pauses = st.builds(Pause, st.integers(NEVER, 2**63 - 1), st.integers(0, 2**62))


@given(marks, st.integers(-1, 2**62), st.none() | pauses)
def test_a_mark_comes_back_with_where_it_rests_and_since_when(mark, position, pause):
    mark = replace(mark, position=position, pause=pause)
    assert WatermarkCodec().decode(WatermarkCodec().encode(mark)) == mark


def test_marks_and_reports_of_version_0_1_are_idle_nobody_knows_where():
    stored = b"\x01" + (7).to_bytes(8, "big")
    wanted = WatermarkStatus(7, idle=True, position=UNKNOWN)
    assert WatermarkCodec().decode(b"1T" + stored) == wanted
    assert decode_report(b"1C" + stored + b"in/0") == ("in/0", wanted)
    assert is_control(None, b"1C" + stored + b"in/0")


@given(marks)
def test_a_mark_comes_back(mark):
    assert WatermarkCodec().decode(WatermarkCodec().encode(mark)) == mark


@given(st.text(min_size=1, max_size=9), marks)
def test_a_report_comes_back(upstream, mark):
    report = encode_report(upstream, mark)
    assert decode_report(report) == (upstream, mark)
    assert is_control(None, report)
    assert not is_control(b"k", report)


READERS = {
    "contents": (CODEC.decode, CODEC.encode(contents({4: [1], 5: ["b"]}, [3]))),
    "next window": (window_reader(GRID), CODEC.encode(contents({4: [1]}))),
    "sessions": (SESSIONS.decode, SESSIONS.encode(Sessions([Session(0, 7, [1]), Session(20, 20, ["b"], 3)]))),
    "oldest session": (session_reader(10), SESSIONS.encode(Sessions([Session(0, 7, [1])]))),
    "counted": (COUNTED.decode, COUNTED.encode(Counted())),
    "mark": (WatermarkCodec().decode, WatermarkCodec().encode(WatermarkStatus(7, idle=True))),
    "report": (decode_report, encode_report("in/0", WatermarkStatus(7, idle=False))),
}
each_reader = pytest.mark.parametrize("name", READERS)


@each_reader
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_read_or_refused(name, data):
    assert_read_or_refused(READERS[name][0], data)
    assert_read_or_refused(READERS[name][0], READERS[name][1][:2] + data)


@each_reader
@given(st.data())
def test_damaged_bytes_are_read_or_refused(name, data):
    reader, good = READERS[name]
    at = data.draw(st.integers(0, len(good)))
    kept = data.draw(st.integers(at, len(good)))
    assert_read_or_refused(reader, good[:at] + data.draw(st.binary(max_size=4)) + good[kept:])


def assert_read_or_refused(reader, data):
    try:
        found = reader(data)
    except StoredValueError:
        return
    if isinstance(found, Contents):
        assert found.is_sound(GRID)
        CODEC.encode(found)


def test_windows_that_end_in_the_middle_are_refused_whatever_their_accumulators():
    anything = ContentsCodec(GRID, bytes, bytes)
    data = anything.encode(contents({4: b"abc"}))
    for length in range(22 + 1, len(data)):
        with pytest.raises(StoredValueError):
            anything.decode(data[:length])


def test_a_count_window_of_no_messages_holds_nothing():
    empty = COUNTED.encode(Counted())
    assert COUNTED.decode(empty).accumulator is None
    with pytest.raises(StoredValueError, match="no count window"):
        COUNTED.decode(empty + INNER.encode([1]))


def test_windows_that_contradict_themselves_are_refused():
    made = contents({4: [1]})
    made.window += 3
    with pytest.raises(StoredValueError, match="contradict"):
        CODEC.decode(CODEC.encode(made))


@each_reader
def test_every_reader_refuses_what_the_others_read(name):
    reader, own = READERS[name]
    for data in {good for _, good in READERS.values() if good[:2] != own[:2]}:
        with pytest.raises(StoredValueError):
            reader(data)


def test_a_forged_accumulator_runs_nothing():
    forged = b"1P" + pickle.dumps(struct.Struct)
    data = bytearray(CODEC.encode(contents({4: "x"})))
    size = struct.pack(">I", len(forged))
    with pytest.raises(StoredValueError, match="Struct"):
        CODEC.decode(bytes(data[: 2 + 8 + 4 + 8 + 9]) + size + forged)


def test_an_offset_that_is_taken_away_again_is_refused_as_well():
    data = ContentsCodec(Grid(9, 3, 1, 2), INNER.encode, INNER.decode).encode(contents({4: [1]}))
    with pytest.raises(StoredValueError, match="or another offset"):
        window_reader(GRID)(data)
    assert window_reader(Grid(9, 3, 5, 2))(data) == window_reader(GRID)(CODEC.encode(contents({4: [1]})))


def early(given):
    plain = contents({4: [1], 7: ["b"]})
    return EarlyContents(plain.panes, plain.extras, plain.window, given)


@pytest.mark.parametrize("given", [{}, {2: 7}, {2: 2**62, 3: -5}])
def test_early_results_come_back_and_are_left_out_by_who_gives_none(given):
    made = early(given)
    back, plain = EARLY.decode(EARLY.encode(made)), CODEC.decode(EARLY.encode(made))
    assert (back.panes, back.window, back.early) == (made.panes, made.window, given)
    assert (plain.panes, plain.extras, plain.window) == (made.panes, made.extras, made.window)
    assert window_reader(GRID)(EARLY.encode(made)) == made.window
    assert EARLY.decode(CODEC.encode(made)).early == {}


HEAD = len(EARLY.encode(early({0: 1, 1: 2}))) - len(CODEC.encode(early({})))


@pytest.mark.parametrize("size", range(2, HEAD + 22))
@pytest.mark.parametrize("read", [EARLY.decode, CODEC.decode, window_reader(GRID)])
def test_early_results_that_end_in_the_middle_are_refused(read, size):
    with pytest.raises(StoredValueError):
        read(EARLY.encode(early({0: 1, 1: 2}))[:size])


def test_early_results_of_windows_that_are_not_open_or_twice_are_refused():
    with pytest.raises(StoredValueError, match="no open window"):
        EARLY.decode(EARLY.encode(early({-9: 1})))
    pair = EARLY.encode(early({1: 2}))[6:22]
    with pytest.raises(StoredValueError, match="contradict"):
        EARLY.decode(b"2W" + (2).to_bytes(4, "big") + pair + pair + CODEC.encode(early({})))
    with pytest.raises(StoredValueError, match="in the middle"):
        EARLY.decode(b"2W" + bytes(4) + CODEC.encode(early({})))
