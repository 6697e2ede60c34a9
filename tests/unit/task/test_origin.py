"""Dead letters say where their record first came from, also behind hops and branches."""

import msgspec
import pytest

from tests.properties import samples
from tests.unit.task.fakes import record, records, task
from tests.unit.task.steps import UPPER
from tests.unit.testing.drivers import driver
from wallaroo.record import Moment, Partition
from wallaroo.task.origin import CarriedOrigins, OffsetOrigins, Source, origin_header, source_of
from wallaroo.task.record_batch import MILLISECONDS, NANOSECONDS, decode_batch, encode_batch, expand_batches
from wallaroo.testing import ApplicationDriver
from wallaroo.testing.logs import Message, Record
from wallaroo.topology.model import Repartition

AT = Partition("in", 1)
HOP = (Repartition("first letter", "repartition", lambda value: value[0]),)


def read(batch):
    """What a reader of the repartition topic finds in a batch."""
    messages = [
        Message(Record("repartition", p, 3, value, key, ms, tuple(*headers)))
        for topic, value, key, p, _, _, ms, *headers in batch.outputs
        if topic == "repartition"
    ]
    return {r.value(): source_of(r) for r in expand_batches(messages, Partition("repartition", 0))}


def after_a_hop(*steps, some):
    made = task(*steps, targets=HOP)
    made.process(some)
    return read(made.collect())


@pytest.mark.parametrize("steps", [(), (UPPER,)], ids=["by slice", "by record"])
@pytest.mark.parametrize("gap", [0, 1, 7_000_000_000])
def test_what_crosses_a_hop_keeps_topic_partition_and_offset_of_its_source(steps, gap):
    first, second = records(b"A1", b"A2", b"B3", start=40), records(b"A4", b"A5", start=43 + gap)
    assert after_a_hop(*steps, some=[*first, *second]) == {
        b"1SA1": ("in", 1, 40),
        b"1SA2": ("in", 1, 41),
        b"1SB3": ("in", 1, 42),
        b"1SA4": ("in", 1, 43 + gap),
        b"1SA5": ("in", 1, 44 + gap),
    }


@pytest.mark.parametrize("values", [(b"\xff", b"A"), (b"A", b"\xff"), (b"\xff",), (b"\xff", b"\xff", b"A")])
def test_it_is_kept_where_records_of_the_slice_cannot_be_decoded(values):
    found = after_a_hop(some=records(*values, start=40))
    assert list(found.values()) == [("in", 1, 40 + n) for n, value in enumerate(values) if value == b"A"]


def test_it_is_kept_over_a_second_hop_from_several_partitions_of_several_sources():
    origins = CarriedOrigins()
    sources = [Source("in", 0, 7), Source("other", 3, 2**40), None, Source("in", 0, 5), Source("in", 1, 9)]
    entries = [(b"v", b"k", 1, source) for source in sources]
    places, coded = origins.packed(entries)
    found = decode_batch(encode_batch(MILLISECONDS, coded, places), 3)
    assert [source_of(each) for each in found] == sources
    assert [each.offset() for each in found] == [3] * 5


@pytest.mark.parametrize("form", [MILLISECONDS, NANOSECONDS])
def test_record_batches_without_origins_are_still_read(form):
    [found] = decode_batch(encode_batch(form, [(b"v", b"k", 1_000_000)]), 3)
    assert (found.value(), found.key(), found.time, source_of(found)) == (b"v", b"k", 1_000_000, None)


def test_a_record_that_was_written_alone_has_its_origin_in_a_header():
    source = Source("in", 1, 2**60)
    assert source_of(record(headers=[origin_header(source)])) == source


@pytest.mark.parametrize("header", [("origin", b"?"), ("origin", None), ("other", msgspec.msgpack.encode(7))])
def test_a_header_of_somebody_else_is_no_origin(header):
    assert source_of(record(headers=[header])) is None


def test_a_result_with_an_event_time_comes_from_its_record_and_that_of_a_window_from_none():
    origins = OffsetOrigins(AT)
    origins.base = 40
    assert origins.mark(Moment(1, record(42))) == 2
    assert origins.mark(Moment(1)) is None


def test_a_dead_letter_of_a_source_says_its_place_twice():
    made = driver("nonsense", application=samples.partitioned())
    made.run()
    [letter] = made.dead_letters()
    assert letter.source == (letter.topic, letter.partition, letter.offset)


@pytest.mark.parametrize("together", [1, 30])
def test_a_dead_letter_behind_a_hop_says_where_in_the_source_its_record_is(together):
    made = ApplicationDriver(samples.hopping(), 3)
    for _ in range(together):
        made.send("in", "rex:1:fine", partition=2)
    made.send("in", "rex:1:refused", partition=2)
    made.run()
    [letter] = made.dead_letters()
    assert letter.topic.endswith("-repartition")
    assert letter.source == ("in", 2, together)
    [sent] = [r for r in made.records("in") if (r.topic, r.partition, r.offset) == letter.source]
    assert sent.value == b"rex:1:refused"
