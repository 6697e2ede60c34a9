"""When records arrived: latency is measured from there, however many topics they have crossed since."""

import pytest

from tests.unit.task.fakes import record
from wallaroo.record import ARRIVAL_HEADER, Partition
from wallaroo.task.arrival import Arrivals
from wallaroo.task.record_batch import MILLISECONDS, NANOSECONDS, expand_batches, internal_event_time
from wallaroo.task.repartition import RepartitionWriter
from wallaroo.testing.logs import Message, Record
from wallaroo.windows.control import encode_report
from wallaroo.windows.watermark import NO_WATERMARK

NOON, DAYS_AGO = 1_790_000_000_000, 1_789_000_000_000
AT = Partition("hop", 0)


class Hop:
    """What one task writes to a repartition topic of one partition, as the next one reads it."""

    def __init__(self, batch_format=MILLISECONDS, *, is_event_time=True):
        self.outputs = []
        self.writer = RepartitionWriter("hop", 1, batch_format, self.outputs.append, {})
        self.arrivals = Arrivals([self.writer], is_event_time=is_event_time)

    def send(self, *times, arrived_ms=NOON):
        self.arrivals.take([record(0, b"a", b"k", arrived_ms)], 0)
        for time in times:
            self.writer.write[0]((b"a", b"k", time, None))
        self.writer.flush()

    def read(self):
        messages = [
            Message(Record("hop", 0, n, value, key, ms, headers[0] if headers else ()))
            for n, (_, value, key, _, _, _, ms, *headers) in enumerate(self.outputs)
        ]
        return expand_batches(messages, AT)


def oldest_ms(records):
    return Arrivals([], is_event_time=False).take(records, 0)


@pytest.mark.parametrize("times", [[DAYS_AGO], [DAYS_AGO, DAYS_AGO + 1]], ids=["alone", "in a batch"])
def test_behind_a_hop_a_record_whose_event_time_is_declared_arrived_when_its_source_had_it(times):
    hop = Hop()
    hop.send(*times)
    assert oldest_ms(hop.read()) == NOON


def test_without_event_times_of_an_application_the_time_of_the_record_says_it_and_no_header_is_needed():
    hop = Hop(is_event_time=False)
    hop.send(NOON, NOON + 1)
    assert oldest_ms(hop.read()) == NOON
    assert [len(output) for output in hop.outputs] == [7]


def test_the_next_hop_is_told_too():
    first, second = Hop(), Hop(is_event_time=False)
    first.send(DAYS_AGO)
    second.arrivals.take(first.read(), 0)
    second.writer.write[0]((b"a", b"k", DAYS_AGO, None))
    second.writer.flush()
    assert oldest_ms(second.read()) == NOON


def test_a_control_record_has_not_arrived_from_anywhere():
    control = Message(Record("hop", 0, 0, encode_report("in/0", NO_WATERMARK), None, DAYS_AGO))
    assert oldest_ms([control]) == 0
    assert oldest_ms([control, record(1, b"a", b"k", NOON)]) == NOON


def test_of_what_the_clock_has_closed_nobody_knows_when_it_arrived():
    hop = Hop()
    hop.arrivals.take_none()
    hop.writer.write[0]((b"a", b"k", DAYS_AGO, None))
    hop.writer.flush()
    assert oldest_ms(hop.read()) == 0


def test_of_several_slices_the_oldest_counts():
    arrivals, oldest = Arrivals([], is_event_time=False), 0
    for time in (NOON, DAYS_AGO, NOON):
        oldest = arrivals.take([record(0, b"a", b"k", time)], oldest)
    assert oldest == DAYS_AGO


@pytest.mark.parametrize("damaged", [b"soon", None, b"-7", b"9" * 30])
def test_a_damaged_header_says_nothing(damaged):
    assert oldest_ms([record(0, b"a", b"k", NOON, [(ARRIVAL_HEADER, damaged)])]) == 0


@pytest.mark.parametrize("time", [DAYS_AGO * 1_000_000, DAYS_AGO * 1_000_000 + 7])
def test_the_header_leaves_the_event_time_of_a_record_alone(time):
    hop = Hop(NANOSECONDS)
    hop.send(time)
    [only] = hop.read()
    assert internal_event_time(b"a", only) == time
