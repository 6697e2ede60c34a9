"""Packs: whatever goes in comes out, in order, within the room there is; and nothing else is opened."""

import tracemalloc
from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, just, lists, one_of, sampled_from, tuples

from wallaroo.errors import StoredValueError
from wallaroo.record import Partition
from wallaroo.task.record_batch import (
    MILLISECONDS,
    NANOSECONDS,
    decode_batch,
    encode_batch,
    expand_batches,
    is_batch,
)
from wallaroo.task.record_size import size
from wallaroo.task.repartition import RepartitionWriter
from wallaroo.testing.logs import Message, Record
from wallaroo.windows.control import is_control

PARTITIONS = 3
AT = Partition("hop", 0)

forms = sampled_from([MILLISECONDS, NANOSECONDS])
moments = integers(0, 2**62)
entries = tuples(one_of(binary(max_size=30), binary(min_size=200, max_size=400)), binary(max_size=9), moments)
controls = just(None)
sent = lists(tuples(integers(0, PARTITIONS - 1), one_of(entries, entries, entries, controls)), max_size=60)


CONTROL = ("hop", b"1C...", None)


def through(way, what):
    """Send it all, control records where there is None."""
    for partition, entry in what:
        if entry is None:
            way.write_control((*CONTROL, partition))
        else:
            way.write[partition]((*entry, None))


def singly(form, what):
    """What is written where every entry is a record."""
    return [
        (*CONTROL, partition)
        if entry is None
        else ("hop", entry[0], entry[1], partition, None, None, *form.end_of_output(entry[2]))
        for partition, entry in what
    ]


def written(output, offset):
    _, value, key, partition, *rest = output
    ms, headers = (*rest[2:], ())[:2] if rest else (0, ())
    return Message(Record("hop", partition, offset, value, key, ms, tuple(headers)))


def read(outputs):
    """What a reader of each partition gets: values, keys, times and headers, in order."""
    found = defaultdict(list)
    for offset, output in enumerate(outputs):
        found[output[3]] += [
            (r.value(), r.key(), r.timestamp(), r.headers(), r.offset())
            for r in expand_batches([written(output, offset)], AT)
        ]
    return found


def without_offsets(found):
    return {number: [r[:-1] for r in records] for number, records in found.items()}


def packing(form, room=10_000):
    outputs = []
    return RepartitionWriter("hop", PARTITIONS, form, outputs.append, {"hop": room}), outputs


@given(forms, sent, integers(0, 1000))
def test_a_reader_gets_the_same_with_record_batches_as_without(form, what, room):
    packed, outputs = packing(form, room)
    singles = singly(form, what)
    through(packed, what)
    packed.flush()
    assert without_offsets(read(outputs)) == without_offsets(read(singles))
    assert len(outputs) + packed.saved == len(singles)


@given(forms, sent, integers(0, 1000))
def test_no_record_batch_is_larger_than_the_room_for_it(form, what, room):
    packed, outputs = packing(form, room)
    through(packed, what)
    packed.flush()
    batches = [o for o in outputs if o[2] is None and not is_control(o[2], o[1])]
    assert all(size(batch) <= room for batch in batches)


@given(forms, sent)
def test_what_is_cleared_has_never_been_sent(form, what):
    packed, outputs = packing(form)
    through(packed, [(number, entry) for number, entry in what if entry is not None])
    packed.discard(0)
    packed.flush()
    assert outputs == []
    assert packed.saved == 0


@given(forms, lists(entries, min_size=1), integers(0, 2**40))
def test_every_record_of_a_record_batch_has_the_offset_of_the_record_batch(form, some, offset):
    assert {record.offset() for record in decode_batch(encode_batch(form, some), offset)} == {offset}


@given(forms, lists(entries, min_size=1), integers(0), binary(max_size=8))
def test_a_damaged_record_batch_is_read_or_refused(form, some, at, instead):
    batch = encode_batch(form, some)
    at %= len(batch)
    damaged = batch[:at] + instead + batch[at + 1 :]
    try:
        found = decode_batch(damaged, 0) if is_batch(damaged) else []
    except StoredValueError:
        return
    assert all(type(r.value()) is type(r.key()) is bytes and r.time < 2**63 for r in found)


@given(forms, binary(max_size=200))
def test_forged_bytes_are_read_or_refused(form, payload):
    try:
        decode_batch(form.tag + payload, 0)
    except StoredValueError:
        return


@pytest.mark.parametrize("beginning", [b"\xdd\xff\xff\xff\xff", b"\xdd\x00\xff\xff\xff", b"\xdc\xff\xff"])
@pytest.mark.parametrize("then", [b"", b"\x93\xc6\xff\xff\xff\xff", b"\x93\xc4\x00\xc4\x00\x00"])
def test_a_record_batch_that_promises_much_takes_little_memory(beginning, then):
    tracemalloc.start()
    with pytest.raises(StoredValueError):
        decode_batch(b"1R" + beginning + then, 0)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [[b"v", b"k"]],
        [[b"v", b"k", 1, 2, 3]],
        [["text", b"k", 1]],
        [[b"v", None, 1]],
        [[b"v", b"k", 2**63]],
        [[b"v", b"k", 1.5]],
        {"a": 1},
    ],
)
def test_what_is_no_record_batch_of_ours_is_refused_with_its_place(entries):
    forged = written(("hop", b"1R" + msgspec.msgpack.encode(entries), None, 0), 7)
    with pytest.raises(StoredValueError, match=r"hop\[0\]@7 of an internal topic cannot be read"):
        expand_batches([forged], AT)
