"""Which offsets of a backlog are read, and what is counted in them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wallaroo.clock import ManualClock
from wallaroo.kafka.sample import Sampler, spread, stretches

PLACE = ("hop", 1)


class Message:
    def __init__(self, offset, error=None):
        self._offset, self._error = offset, error

    def topic(self):
        return PLACE[0]

    def partition(self):
        return PLACE[1]

    def offset(self):
        return self._offset

    def error(self):
        return self._error


class Log:
    """A consumer of one partition in which only some offsets hold messages."""

    def __init__(self, offsets, end, clock):
        self._offsets, self._end, self._clock = sorted(offsets), end, clock
        self._position = 0
        self.read = 0

    def assign(self, partitions):
        self._position = partitions[0].offset

    def unassign(self):
        pass

    def close(self):
        self._position = -1

    def consume(self, most, _seconds):
        self._clock.advance(1)
        found = [offset for offset in self._offsets if offset >= self._position][:most]
        self.read += len(found)
        if not found:
            return [Message(self._end, "end of partition")]
        self._position = found[-1] + 1
        return [Message(offset) for offset in found]


def sample(offsets, end, per_message=1, start=0):
    clock = ManualClock()
    log = Log(offsets, end, clock)
    sampler = Sampler(lambda: log, clock)
    return sampler.records_per_offset(PLACE, start, end, lambda _message: per_message), log


@given(st.integers(0, 10_000), st.integers(0, 100_000))
def test_stretches_lie_between_start_and_end_and_do_not_overlap(start, size):
    found = stretches(start, start + size)
    assert all(start <= first < end <= start + size for first, end in found)
    assert all(end <= first for (_, end), (first, _) in pairwise(found))
    assert bool(found) == bool(size)


def test_a_short_backlog_is_counted_as_a_whole():
    assert sample(range(0, 300, 3), end=300)[0] == 1 / 3


def test_what_holds_only_ends_of_transactions_holds_no_record():
    assert sample([], end=7, start=5)[0] == 0


def test_of_a_long_backlog_little_is_read_and_the_average_is_near():
    found, log = sample([n for n in range(100_000) if n % 10], end=100_000, per_message=100)
    assert abs(found - 90) < 3
    assert log.read < 2_000


def test_a_backlog_that_was_written_at_two_paces_is_reckoned_by_both():
    sparse = range(0, 50_000, 10)
    found, _ = sample([*sparse, *range(50_000, 100_000)], end=100_000)
    assert abs(found - 0.55) < 0.05


def test_what_cannot_be_read_in_time_says_nothing():
    clock = ManualClock()
    log = Log([0], 10, clock)
    log.consume = lambda _most, _seconds: clock.advance(500) or []
    assert Sampler(lambda: log, clock).records_per_offset(PLACE, 0, 10, lambda _message: 1) is None


def reckoned(records):
    """The error of a sample of a backlog whose offsets hold so many records each."""
    read = [records[first:end] for first, end in stretches(0, len(records))]
    average = sum(map(sum, read)) / sum(map(len, read))
    return abs(average * len(records) / sum(records) - 1)


@given(st.integers(100, 8_000), st.floats(0, 0.8), st.floats(0.2, 1), st.integers(2, 100))
def test_wherever_the_large_batches_are_the_error_is_a_tenth_at_most(size, begin, share, records):
    first, end = int(size * begin), int(size * min(begin + share, 1))
    assert reckoned([records if first <= at < end else 1 for at in range(size)]) <= 0.1


@given(st.integers(100, 8_000), st.randoms(use_true_random=False))
def test_batches_of_any_size_among_each_other_are_reckoned_to_a_tenth(size, rng):
    assert reckoned([rng.randint(1, 100) for _ in range(size)]) <= 0.1


@given(st.integers(100, 8_000), st.integers(1, 100), st.integers(1, 100))
def test_a_backlog_that_grows_denser_is_reckoned_to_a_tenth(size, first, last):
    assert reckoned([first + (last - first) * at // size for at in range(size)]) <= 0.1


@given(st.integers(0, 70))
def test_each_stretch_is_read_once_in_an_order_that_begins_all_over_the_backlog(count):
    assert sorted(spread(range(count))) == [*range(count)]


def test_what_is_read_before_time_runs_out_is_spread_over_the_backlog():
    assert spread(range(8)) == [0, 4, 2, 6, 1, 5, 3, 7]
