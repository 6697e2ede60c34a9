"""Record batches with headers: what goes in comes out, and nothing changes where nobody asks for them."""

import tracemalloc

import msgspec
import pytest

from tests.unit.task.fakes import PARTITIONS, record, records, task
from wallaroo.errors import StoredValueError
from wallaroo.task.record_batch import (
    WITH_HEADERS,
    decode_batch,
    encode_batch,
    internal_event_time,
    is_batch,
    records_in,
)
from wallaroo.testing.logs import Message, Record
from wallaroo.topology.model import Repartition

# What this version writes, to be read by every later one.
GOLDEN = (
    b"3X\x00\x09\x91\x93\xa2in\x01\xcd\x03\xe7"
    b"\x92\x95\xc4\x021S\xc4\x01k\x07\x00\x92\x92\xa1a\xc4\x011\x92\xa1b\xc0\x95\xc4\x01v\xc4\x00\xff\xc0\x90"
)
TWO = (("a", b"1"), ("b", None))
ENTRIES = [(b"1S", b"k", 7, 0, TWO), (b"v", b"", -1, None, ())]
PLACES = [("in", 1, 999)]
HEADERS = [("a", b"1"), ("b", None), ("a", b"2")]


def hop(carries):
    return (Repartition("first letter", "repartition", lambda value: value[0], carries=carries),)


def read(outputs):
    return [each for n, output in enumerate(outputs) for each in decode_batch(output[1], n)]


def test_the_golden_bytes_are_written_and_read():
    assert encode_batch(WITH_HEADERS, ENTRIES, PLACES) == GOLDEN
    first, second = decode_batch(GOLDEN, 5)
    assert (first.value(), first.key(), first.time, first.carried) == (
        b"1S",
        b"k",
        7,
        (("a", b"1"), ("b", None)),
    )
    assert (first.offset(), first.source(), first.headers()) == (
        5,
        ("in", 1, 999),
        [("a", b"1"), ("b", None)],
    )
    assert (second.time, second.timestamp(), second.source(), second.headers()) == (-1, (1, -1), None, None)
    assert internal_event_time(None, first) == 7


def test_its_records_are_counted_without_reading_them():
    assert records_in(Message(Record("hop", 0, 0, GOLDEN, None, 0))) == 2


@pytest.mark.parametrize(
    "damaged", [GOLDEN[:-1], GOLDEN[:2], GOLDEN + b"x", GOLDEN.replace(b"\xa1a", b"\x01a")]
)
def test_what_is_damaged_is_refused(damaged):
    with pytest.raises(StoredValueError):
        decode_batch(damaged, 5)


def test_headers_cross_a_hop_even_if_a_record_is_alone():
    made = task(targets=hop("all"))
    made.process([record(3, b"ab", b"key", 5, HEADERS)])
    (output,) = made.collect().outputs
    assert output[2] is None
    assert is_batch(output[1])
    (carried,) = read([output])
    assert (carried.value(), carried.key(), carried.time) == (b"1Sab", b"a", 5_000_000)
    assert (carried.source(), carried.carried) == (("in", 1, 3), tuple(HEADERS))


def test_only_named_headers_are_carried():
    made = task(targets=hop(("a",)))
    made.process([record(n, b"ab", b"key", 5, HEADERS) for n in range(2)])
    (output,) = made.collect().outputs
    assert [each.carried for each in read([output])] == [(("a", b"1"), ("a", b"2"))] * 2


def test_a_batch_that_would_be_too_large_is_divided_and_one_record_never_is():
    made = task(targets=hop("all"))
    large = b"a" + b"x" * 70_000
    made.process([record(n, large, b"key", 5, HEADERS) for n in range(3)])
    outputs = made.collect().outputs
    assert [each.offset() for each in read(outputs)] == [0, 1, 2]
    assert {each.value() for each in read(outputs)} == {b"1S" + large}


def test_without_anybody_to_ask_what_is_written_is_the_same_as_ever():
    made = task(targets=hop(()))
    made.process(records(b"a1", b"a2"))
    (output,) = made.collect().outputs
    assert output[1][:2] == b"2R"
    assert output[3] == output[3] % PARTITIONS["repartition"]


def test_a_second_hop_passes_headers_and_nanoseconds_on():
    (first,) = decode_batch(encode_batch(WITH_HEADERS, [(b"1Sab", b"k", 7, 0, TWO)], PLACES), 5)
    made = task(targets=hop("all"), decode=None, by_slice=False)
    made.process([first])
    (output,) = made.collect().outputs
    (again,) = read([output])
    assert (again.time, again.carried, again.source()) == (7, first.carried, ("in", 1, 999))


def test_a_dead_letter_behind_a_hop_has_the_headers_of_its_source():
    made = task(targets=hop("all"), decode=None, by_slice=False)
    bad = decode_batch(encode_batch(WITH_HEADERS, [(b"1S", b"k", 7, 0, (("a", b"1"),))], PLACES), 0)
    assert made.process(bad) is not None
    made.rollback()
    made.process(bad)
    (letter,) = made.collect().outputs
    assert letter[7][0] == ("a", b"1")


def test_the_format_is_an_array_of_arrays():
    places = msgspec.msgpack.encode(PLACES)
    assert GOLDEN[2:4] == len(places).to_bytes(2)
    entry = msgspec.msgpack.decode(GOLDEN[4 + len(places) :])[0]
    assert entry == [b"1S", b"k", 7, 0, [["a", b"1"], ["b", None]]]


def test_few_bytes_that_announce_many_headers_take_little_memory():
    forged = b"3X\x00\x01\x90\x91\x95\xc4\x00\xc4\x00\x00\xc0\xdd\xff\xff\xff\xff"
    tracemalloc.start()
    with pytest.raises(StoredValueError):
        decode_batch(forged, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
