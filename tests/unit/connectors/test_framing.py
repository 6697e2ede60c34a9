"""Frames: wherever a stream is cut into pieces, the same payloads come out."""

import struct
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import binary, data, integers, lists, sampled_from

from tests.unit.testing.raising import RAISED
from wallaroo.connectors.tcp.framing import Frames
from wallaroo.errors import FramingError, class_name_of

MAX_SIZE = 100
HEADERS = {1: ">B", 2: "<H", 3: ">xH", 4: ">I", 8: ">Q"}

payloads = lists(binary(max_size=MAX_SIZE), max_size=8)


def frames_of(length_fmt=">I", max_size=MAX_SIZE):
    return Frames(struct.calcsize(length_fmt), lambda header: struct.unpack(length_fmt, header)[0], max_size)


def framed(payload, length_fmt=">I"):
    return struct.pack(length_fmt, len(payload)) + payload


def feed_in_pieces(frames, stream, cuts):
    edges = [0, *sorted(cuts), len(stream)]
    return [payload for at, end in pairwise(edges) for payload in frames.feed(stream[at:end])]


@given(payloads, sampled_from(sorted(HEADERS.values())), data())
def test_the_payloads_are_the_same_however_the_stream_is_cut(sent, length_fmt, drawn):
    stream = b"".join(framed(payload, length_fmt) for payload in sent)
    cuts = drawn.draw(lists(integers(0, len(stream)), max_size=12))
    assert feed_in_pieces(frames_of(length_fmt), stream, cuts) == sent


@given(payloads)
def test_byte_by_byte_is_as_good_as_all_at_once(sent):
    stream = b"".join(framed(payload) for payload in sent)
    assert feed_in_pieces(frames_of(), stream, range(len(stream))) == sent


@given(lists(binary(max_size=300), max_size=6), integers(0, 50))
def test_any_bytes_at_all_give_payloads_within_the_limit_or_an_error(pieces, max_size):
    frames = frames_of(max_size=max_size)
    received = [payload for piece in pieces for payload in frames.feed(piece)]
    assert all(len(payload) <= max_size for payload in received)
    assert frames.partial_bytes <= max_size + 4
    assert frames.error is not None or sum(len(p) + 4 for p in received) + frames.partial_bytes == sum(
        map(len, pieces)
    )


@given(payloads, binary(max_size=50), data())
def test_what_came_before_a_bad_header_is_kept_and_nothing_after_it(sent, behind, drawn):
    stream = b"".join(framed(payload) for payload in sent) + struct.pack(">I", MAX_SIZE + 1) + behind
    cuts = drawn.draw(lists(integers(0, len(stream)), max_size=5))
    frames = frames_of()
    assert feed_in_pieces(frames, stream, cuts) == sent
    assert isinstance(frames.error, FramingError)
    assert frames.feed(framed(b"more")) == []


def test_a_frame_without_a_payload_is_a_payload_of_no_bytes():
    assert frames_of().feed(framed(b"") + framed(b"x") + framed(b"")) == [b"", b"x", b""]


def test_a_payload_may_be_as_large_as_the_limit_and_no_larger():
    frames = frames_of()
    assert frames.feed(framed(b"x" * MAX_SIZE)) == [b"x" * MAX_SIZE]
    assert frames.error is None
    assert frames.feed(framed(b"x" * (MAX_SIZE + 1))) == []
    assert str(frames.error).startswith("the header b'\\x00\\x00\\x00e' announces 101 bytes, of at most 100")


def test_half_a_frame_is_held_until_the_rest_comes():
    frames = frames_of()
    assert frames.feed(framed(b"hello")[:7]) == []
    assert frames.partial_bytes == 7
    assert frames.feed(framed(b"hello")[7:]) == [b"hello"]
    assert frames.partial_bytes == 0


def test_a_huge_length_costs_no_memory():
    frames = frames_of(">Q", max_size=2**40)
    tracemalloc.start()
    frames.feed(struct.pack(">Q", 2**40) + b"x" * 1000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert frames.error is None
    assert peak_bytes < 100_000


def test_a_negative_length_is_an_error():
    frames = frames_of(">i")
    assert frames.feed(struct.pack(">i", -1)) == []
    assert "announces -1 bytes" in str(frames.error)


@pytest.mark.parametrize("answer", [None, "4", 1.5, [4]], ids=repr)
def test_a_length_that_is_no_number_of_bytes_is_an_error(answer):
    frames = Frames(1, lambda _header: answer, MAX_SIZE)
    assert frames.feed(b"\x04abcdefgh") == []
    assert "cannot be read" in str(frames.error)


def test_a_length_function_that_raises_is_an_error_behind_the_frames_before_it():
    def length(header):
        if header == b"\xff":
            raise ValueError("what is this?")
        return header[0]

    frames = Frames(1, length, MAX_SIZE)
    assert frames.feed(b"\x02ab\xffcd") == [b"ab"]
    assert "cannot be read: ValueError('what is this?')" in str(frames.error)
    assert frames.partial_bytes == 0


def test_an_error_says_what_to_look_at():
    frames = frames_of()
    frames.feed(b"GET / HTTP/1.1\r\n")
    assert "header_length and length_fmt" in str(frames.error)
    assert "max_size" in str(frames.error)


@pytest.mark.parametrize("error", RAISED, ids=class_name_of)
def test_whatever_a_length_function_raises_ends_the_connection_only(error):
    def length(_header):
        raise error

    frames = Frames(1, length, MAX_SIZE)
    assert frames.feed(b"\x04abcdefgh") == []
    assert "a header cannot be read" in str(frames.error)
