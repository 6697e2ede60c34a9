"""The bookkeeping of a sink to another cluster: nothing is lost, order is kept, confirmed stays confirmed."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from wallaroo.connectors.in_order import InOrder

LANES = 3
WINDOW_RECORDS, WINDOW_BYTES = 5, 20


class Sending(RuleBasedStateMachine):
    """Records in lanes, each of which takes its own in order, as the partitions of a topic do."""

    @initialize()
    def begin(self):
        self.sent = InOrder(WINDOW_RECORDS, WINDOW_BYTES)
        self.sizes, self.dropped = [], set()
        self.under_way, self.taken, self.confirmed = [], [], []

    def is_wanted(self, number):
        return number not in self.dropped and number not in self.confirmed

    @rule(size=st.integers(0, 10))
    def push(self, size):
        number = len(self.sizes)
        self.sent.push(f"record {number}", number, size)
        self.sizes.append(size)

    @rule()
    def hand_over(self):
        while (handed := self.sent.next()) is not None:
            self.under_way.append(handed)

    @rule()
    def hand_over_and_put_back(self):
        if self.sent.next() is not None:
            self.sent.put_back()

    @rule(lane=st.integers(0, LANES - 1), count=st.integers(1, 4))
    def take(self, lane, count):
        for handed in [h for h in self.under_way if h.token % LANES == lane][:count]:
            handed.taken = True
            self.under_way.remove(handed)
            self.taken.append(handed.token)

    @rule()
    def confirm(self):
        self.confirmed += self.sent.confirm()

    @rule()
    def begin_again(self):
        late, self.under_way = self.under_way, []
        self.sent.again()
        for handed in late:
            handed.taken = True

    @rule(remainder=st.integers(0, 3))
    def drop(self, remainder):
        self.sent.drop(lambda token: token % 4 == remainder)
        self.dropped |= {n for n in range(len(self.sizes)) if n % 4 == remainder and self.is_wanted(n)}
        self.under_way = [h for h in self.under_way if h.token % 4 != remainder]

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
        assert len(self.sent) == len(wanted)
        assert self.sent.size_bytes == sum(self.sizes[n] for n in wanted)

    @invariant()
    def no_more_is_under_way_than_the_window_allows(self):
        assert self.sent.under_way <= WINDOW_RECORDS

    def teardown(self):
        """In the end all that is wanted arrives."""
        if not hasattr(self, "sent"):
            return
        self.begin_again()
        while len(self.sent):
            self.hand_over()
            for lane in range(LANES):
                self.take(lane, len(self.sizes))
            self.confirm()
        assert {n for n in range(len(self.sizes)) if self.is_wanted(n)} == set()
        self.each_record_is_taken_once_and_each_lane_in_order()


TestSending = Sending.TestCase
TestSending.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
