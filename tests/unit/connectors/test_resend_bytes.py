"""Records acknowledged by bytes: nothing is lost, order is kept, confirmed stays confirmed."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from wallaroo.connectors.resend import ByteStream, ResendQueue

HOLD_SECONDS = 5


class Resending(RuleBasedStateMachine):
    """A queue, beside it a plain list of all records, and what the present connection has carried."""

    @initialize()
    def begin(self):
        self.queue = ResendQueue()
        self.stream = ByteStream(self.queue)
        self.records, self.confirmed = [], []
        self.now = 0
        self.connect()

    def connect(self):
        self.first = len(self.confirmed)
        self.carried = b""
        self.acknowledged_at = {}

    @rule(record=st.binary(max_size=5))
    def push(self, record):
        self.queue.push(record, len(self.records))
        self.records.append(record)

    @rule(size=st.integers(1, 20))
    def take(self, size):
        self.carried += self.stream.take(size)

    @rule(share=st.floats(0, 1))
    def acknowledge(self, share):
        position = int(share * len(self.carried))
        self.stream.acknowledge(position, self.now)
        self.acknowledged_at.setdefault(position, self.now)

    @rule(seconds=st.integers(0, 3))
    def confirm(self, seconds):
        self.now += seconds
        tokens = self.stream.confirm(self.now - HOLD_SECONDS)
        self.confirmed += tokens
        long_ago = [p for p, at in self.acknowledged_at.items() if at <= self.now - HOLD_SECONDS]
        assert not tokens or self.length(len(self.confirmed)) <= max(long_ago, default=0)

    @rule()
    def break_off(self):
        self.stream.reset()
        self.connect()

    def length(self, end):
        return len(b"".join(self.records[self.first : end]))

    @invariant()
    def confirmations_come_in_order_and_once(self):
        assert self.confirmed == list(range(len(self.confirmed)))

    @invariant()
    def a_connection_carries_whole_records_from_the_first_unconfirmed_one_on(self):
        assert b"".join(self.records[self.first :]).startswith(self.carried)
        assert len(self.carried) in {self.length(end) for end in range(self.first, len(self.records) + 1)}

    @invariant()
    def everything_unconfirmed_is_still_there(self):
        left = self.records[len(self.confirmed) :]
        assert (len(self.queue), self.queue.size_bytes) == (len(left), len(b"".join(left)))

    def teardown(self):
        self.stream.reset()
        assert self.stream.take(10**9) == b"".join(self.records[len(self.confirmed) :])


TestResending = Resending.TestCase
TestResending.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def filled(*records):
    queue = ResendQueue()
    for token, record in enumerate(records):
        queue.push(record, token)
    return queue, ByteStream(queue)


def test_a_record_is_confirmed_only_when_its_last_byte_is_acknowledged_and_its_hold_is_over():
    _, stream = filled(b"one", b"two")
    stream.take(100)
    stream.acknowledge(5, now_seconds=10)
    stream.acknowledge(6, now_seconds=11)
    assert [stream.confirm(9), stream.confirm(10), stream.confirm(11)] == [[], [0], [1]]


def test_a_record_without_bytes_is_confirmed_with_its_neighbours():
    _, stream = filled(b"", b"one", b"")
    assert stream.take(100) == b"one"
    stream.acknowledge(3, now_seconds=0)
    assert stream.confirm(0) == [0, 1, 2]


def test_dropped_records_are_neither_sent_again_nor_confirmed_whatever_had_become_of_them():
    queue, stream = filled(b"held,", b"held too,", b"taken,", b"taken too,", b"waiting,", b"waiting too,")
    stream.take(20)
    stream.take(1)
    stream.acknowledge(14, now_seconds=0)
    queue.drop(lambda token: token % 2 == 0)
    assert (len(queue), queue.size_bytes) == (3, 31)
    assert stream.confirm(0) == [1]
    stream.reset()
    assert stream.take(100) == b"taken too,waiting too,"
    stream.acknowledge(22, now_seconds=1)
    assert stream.confirm(1) == [3, 5]


def test_what_other_records_are_acknowledged_by_does_not_change_when_some_are_dropped():
    queue, stream = filled(b"mine", b"yours")
    stream.take(100)
    queue.drop(lambda token: token == 0)
    stream.acknowledge(8, now_seconds=0)
    assert stream.confirm(0) == []
    stream.acknowledge(9, now_seconds=0)
    assert stream.confirm(0) == [1]
