"""Records acknowledged one by one: nothing is lost, order is kept, confirmed stays confirmed."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from wallaroo.connectors.resend import ResendLimits, ResendQueue

LANES = 3
WINDOW_RECORDS, WINDOW_BYTES = 5, 20


class Sending(RuleBasedStateMachine):
    """Records in lanes, each of which takes its own in order, as the partitions of a topic do."""

    @initialize()
    def begin(self):
        self.queue = ResendQueue(window=ResendLimits(WINDOW_RECORDS, WINDOW_BYTES))
        self.sizes, self.dropped = [], set()
        self.sent, self.taken, self.confirmed = [], [], []

    def is_wanted(self, number):
        return number not in self.dropped and number not in self.confirmed

    @rule(size=st.integers(0, 10))
    def push(self, size):
        number = len(self.sizes)
        self.queue.push(b"." * size, number)
        self.sizes.append(size)

    @rule()
    def hand_over(self):
        while (entry := self.queue.next()) is not None:
            self.sent.append(entry)

    @rule()
    def hand_over_and_put_back(self):
        if self.queue.next() is not None:
            self.queue.put_back()

    @rule(lane=st.integers(0, LANES - 1), count=st.integers(1, 4))
    def take(self, lane, count):
        for entry in [e for e in self.sent if e.token % LANES == lane][:count]:
            entry.acknowledged = True
            self.sent.remove(entry)
            self.taken.append(entry.token)

    @rule()
    def confirm(self):
        self.confirmed += self.queue.confirm()

    @rule()
    def begin_again(self):
        late, self.sent = self.sent, []
        self.queue.resend()
        for entry in late:
            entry.acknowledged = True

    @rule(remainder=st.integers(0, 3))
    def drop(self, remainder):
        self.queue.drop(lambda token: token % 4 == remainder)
        self.dropped |= {n for n in range(len(self.sizes)) if n % 4 == remainder and self.is_wanted(n)}
        self.sent = [e for e in self.sent if e.token % 4 != remainder]

    @invariant()
    def confirmations_come_in_order_and_once(self):
        assert self.confirmed == sorted(set(self.confirmed))

    @invariant()
    def nothing_is_confirmed_that_was_not_taken_or_before_what_was_not(self):
        assert set(self.confirmed) <= set(self.taken)
        before = range(max(self.confirmed, default=-1))
        assert not [n for n in before if self.is_wanted(n)]

    @invariant()
    def each_record_is_taken_once_and_each_lane_in_order(self):
        assert len(self.taken) == len(set(self.taken))
        for lane in range(LANES):
            mine = [n for n in self.taken if n % LANES == lane]
            assert mine == sorted(mine)

    @invariant()
    def what_is_not_confirmed_is_still_there(self):
        wanted = [n for n in range(len(self.sizes)) if self.is_wanted(n)]
        assert len(self.queue) == len(wanted)
        assert self.queue.size_bytes == sum(self.sizes[n] for n in wanted)

    @invariant()
    def no_more_is_sent_than_the_window_allows(self):
        assert self.queue.sent <= WINDOW_RECORDS

    def teardown(self):
        """In the end all that is wanted arrives."""
        if not hasattr(self, "queue"):
            return
        self.begin_again()
        while len(self.queue):
            self.hand_over()
            for lane in range(LANES):
                self.take(lane, len(self.sizes))
            self.confirm()
        assert {n for n in range(len(self.sizes)) if self.is_wanted(n)} == set()
        self.each_record_is_taken_once_and_each_lane_in_order()


TestSending = Sending.TestCase
TestSending.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_what_was_acknowledged_before_a_resend_is_confirmed_without_being_sent_again():
    queue = ResendQueue()
    queue.push(b"one", 1)
    queue.push(b"two", 2)
    queue.next().acknowledged = True
    queue.next()
    queue.resend()
    assert queue.confirm() == [1]
    assert (len(queue), queue.size_bytes, queue.next().record) == (1, 3, b"two")
