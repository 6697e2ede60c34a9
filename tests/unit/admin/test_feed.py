"""Records of a file: cut, framed, keyed and paced."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallaroo.admin.feed import Framing, cut, framed, key_of, paced
from wallaroo.clock import ManualClock
from wallaroo.errors import SettingsError

RECORDS = st.lists(st.binary(max_size=300))
LINES = st.lists(st.binary(min_size=1, max_size=50).filter(lambda each: not set(each) & set(b"\r\n")))


def in_file(records, framing):
    return io.BytesIO(b"".join(framed(each, framing) for each in records))


@given(RECORDS)
def test_frames_are_cut_as_they_were_made(records):
    assert list(cut(in_file(records, Framing.U32), Framing.U32)) == records


@given(LINES)
def test_lines_are_cut_as_they_were_made(records):
    assert list(cut(in_file(records, Framing.LINES), Framing.LINES)) == records


def test_a_last_line_needs_no_end_and_empty_ones_are_no_records():
    assert list(cut(io.BytesIO(b"a\r\n\nb"), Framing.LINES)) == [b"a", b"b"]


@pytest.mark.parametrize("end", [b"\x00", b"\x00\x00\x00\x05abcd"])
def test_a_frame_that_is_not_whole_is_refused(end):
    with pytest.raises(SettingsError, match="the last frame of the file is not whole"):
        list(cut(io.BytesIO(framed(b"good", Framing.U32) + end), Framing.U32))


@pytest.mark.parametrize(
    ("record", "key"), [(b'{"user":"rex"}', b"rex"), (b'{"user":5}', b"5"), (b'{"user":["a"]}', b'["a"]')]
)
def test_a_field_is_the_key(record, key):
    assert key_of(record, "user") == key


@pytest.mark.parametrize("record", [b"rex", b"[1]", b"{}", b"\xff"])
def test_a_record_without_the_field_is_refused(record):
    with pytest.raises(SettingsError, match="is no JSON object with the field 'user'"):
        key_of(record, "user")


def test_records_come_at_their_rate():
    clock = ManualClock()
    times = []
    for _ in paced([b"a", b"b", b"c"], 10, clock, lambda seconds: clock.advance(round(seconds * 1000))):
        times.append(clock.now_ms())
    assert times == [0, 100, 200]


def test_without_a_rate_records_come_as_they_are():
    assert list(paced([b"a", b"b"], None, ManualClock(), lambda _: pytest.fail("waited"))) == [b"a", b"b"]
