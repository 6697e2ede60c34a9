"""What a task makes of records that share a partition behind its key change, and what it reads there."""

from zlib import crc32

import msgspec
import pytest

from tests.unit.task.fakes import PARTITIONS, record, records, task
from tests.unit.task.steps import ADD, TOTALS, UPPER, carefully, keep_unstorable
from wallaroo.record import Partition, Rewind
from wallaroo.task.limits import RecordLimits
from wallaroo.task.record_batch import (
    MILLISECONDS,
    decode_batch,
    encode_batch,
    expand_batches,
    is_batch,
    records_in,
)
from wallaroo.testing.logs import Message, Record
from wallaroo.topology.model import Repartition
from wallaroo.topology.steps import ApplyMulti, Update
from wallaroo.windows.control import encode_report
from wallaroo.windows.watermark import NO_WATERMARK

HOP = (Repartition("first letter", "repartition", lambda value: value[0]),)
AT = Partition("in", 1)


def hopping(*steps, **rest):
    return task(*steps, targets=HOP, **rest)


def numbers(batch):
    return [output[3] for output in batch.outputs]


def opened(batch):
    """(value, key, milliseconds) of what a batch writes."""
    messages = [
        Message(Record("repartition", p, 0, value, key, ms))
        for topic, value, key, p, _, _, ms, *_ in batch.outputs
        if topic == "repartition"
    ]
    return [(r.value(), r.key(), r.timestamp()[1]) for r in expand_batches(messages, AT)]


def number(key):
    return crc32(key) % PARTITIONS["repartition"]


def test_a_slice_makes_one_record_batch_for_each_partition():
    made = hopping()
    made.process(records(b"a1", b"b1", b"a2", b"b2"))
    batch = made.collect()
    assert sorted(numbers(batch)) == sorted([number(b"a"), number(b"b")])
    assert sorted(opened(batch)) == [
        (b"1Sa1", b"a", 1000),
        (b"1Sa2", b"a", 1002),
        (b"1Sb1", b"b", 1001),
        (b"1Sb2", b"b", 1003),
    ]
    assert batch.saved == {"repartition": 2}


def test_the_next_slice_opens_new_record_batches():
    made = hopping()
    made.process(records(b"a1", b"a2"))
    made.process(records(b"a3", b"a4", start=2))
    batch = made.collect()
    assert numbers(batch) == [number(b"a")] * 2
    assert [value for value, _, _ in opened(batch)] == [b"1Sa1", b"1Sa2", b"1Sa3", b"1Sa4"]


def test_a_record_that_is_alone_in_its_partition_is_not_packed():
    made = hopping()
    made.process(records(b"a1", start=7))
    (output,) = made.collect().outputs
    origin = ("origin", msgspec.msgpack.encode(("in", 1, 7)))
    assert output == ("repartition", b"1Sa1", b"a", number(b"a"), None, None, 1000, [origin])


def test_a_rollback_forgets_what_is_in_record_batches():
    made = hopping(UPPER)
    assert made.process(records(b"a1", b"a2", b"bad")) is not None
    made.rollback()
    assert made.collect() is None
    made.process(records(b"c1", b"c2"))
    assert [value for value, _, _ in opened(made.collect())] == [b"1SC1", b"1SC2"]


def test_where_care_is_taken_every_record_goes_by_itself():
    made = carefully(hopping(UPPER), records(b"a1", b"bad", b"a2"))
    batch = made.collect()
    assert [output[1] for output in batch.outputs if output[0] == "repartition"] == [b"1SA1", b"1SA2"]
    assert batch.saved == {}


def test_a_record_that_fails_in_replay_leaves_nothing_in_a_record_batch():
    split = ApplyMulti("split", lambda value: [value, "bad" if value == "b" else value])
    batch = carefully(hopping(split, UPPER), records(b"a", b"b", b"a")).collect()
    assert [value for value, _, _ in opened(batch)] == [b"1SA"] * 4
    assert [output[1] for output in batch.outputs if output[0] == "dlq"] == [b"b"]
    assert batch.saved == {"repartition": 2}


def test_a_record_batch_of_a_record_whose_state_cannot_be_stored_saves_nothing():
    made = hopping(Update("keep", keep_unstorable, TOTALS), ApplyMulti("split", lambda value: [value] * 2))
    some = records(b"a", b"b", b"unstorable")
    made.process(some)
    assert made.collect() == Rewind(AT, 2)
    made.rollback()
    made.process(some)
    batch = made.collect()
    assert [value for value, _, _ in opened(batch)] == [b"1Sa"] * 2 + [b"1Sb"] * 2
    assert batch.saved == {"repartition": 2}


def test_a_record_batch_keeps_to_what_its_topic_takes():
    made = hopping(room={"repartition": 300})
    made.process(records(*[b"a" * 50] * 9))
    batch = made.collect()
    assert len(batch.outputs) > 2
    assert not RecordLimits(300, {}).are_exceeded(batch)
    assert [value for value, _, _ in opened(batch)] == [b"1S" + b"a" * 50] * 9


def test_a_slice_that_makes_very_many_records_of_one_partition_makes_several_record_batches():
    made = hopping()
    made.process(records(*[b"a"] * 1_200))
    assert len(made.collect().outputs) == 12


def packed(*values, offset=0, key=b"k"):
    entries = [(value, key, 1000 + n) for n, value in enumerate(values)]
    return record(offset, encode_batch(MILLISECONDS, entries))


def test_the_record_of_a_record_batch_that_fails_is_a_dead_letter_alone():
    some = expand_batches([packed(b"1S1", b"1Sbad", b"1S3", offset=7), record(8, b"1S4", b"k")], AT)
    made = carefully(task(ADD, decode=None), some)
    batch = made.collect()
    assert [output[1] for output in batch.outputs if output[0] == "out"] == [b"1", b"4", b"8"]
    (letter,) = [output for output in batch.outputs if output[0] == "dlq"]
    assert (letter[1], letter[2], dict(letter[7])["__streams.errors.timestamp"]) == (b"bad", b"k", b"1001")
    assert ("__streams.errors.offset", b"7") in letter[7]
    assert (batch.records, batch.next_offset) == (4, 9)


def test_a_record_batch_that_has_been_processed_is_passed_over_as_a_whole():
    made = task(ADD, decode=None)
    made.process(expand_batches([packed(b"1S1", b"1S2")], AT))
    made.process(expand_batches([packed(b"1S1", b"1S2"), packed(b"1S4", offset=1)], AT))
    assert made.collect().records == 3


def test_a_record_batch_is_no_value_of_any_other_form():
    assert is_batch(encode_batch(MILLISECONDS, [(b"", b"", 0)]))
    assert not any(
        is_batch(form) for form in (b"1Sa", b"1O{}", b"1M", b"1J", b"1D", b"1B", b"1P", b"1U", b"1C")
    )
    assert len(decode_batch(encode_batch(MILLISECONDS, [(b"", b"", 0)]), 0)) == 1


def test_the_replay_window_is_counted_in_records_not_in_record_batches():
    made = task(UPPER, decode=None)
    some = expand_batches([packed(*[b"1S1"] * 250, offset=n) for n in range(2)], AT)
    some += expand_batches([packed(*[b"1Sbad"] * 250, offset=n) for n in range(2, 4)], AT)
    carefully(made, some)
    assert made._replay_window.last_offset == 3 + 4


@pytest.mark.parametrize("size", [2, 15, 16, 100, 70_000])
def test_a_record_batch_says_how_many_records_it_holds(size):
    value = encode_batch(MILLISECONDS, [(b"v", b"k", 1_000, n) for n in range(size)], [("in", 1, 0)])
    assert records_in(Message(Record("repartition", 0, 0, value, None, 0))) == size
    without = encode_batch(MILLISECONDS, [(b"v", b"k", 1_000)] * size, None)
    assert records_in(Message(Record("repartition", 0, 0, without, None, 0))) == size


def test_a_record_by_itself_is_one_and_a_control_record_none():
    control = encode_report("in/0", NO_WATERMARK)
    messages = [record(0, b"2R", b"k"), record(0, None, None), record(0, control), record(0, b"{}")]
    assert [records_in(message) for message in messages] == [1, 1, 0, 1]
