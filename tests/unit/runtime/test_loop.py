"""The loop processes every record once and in order, whatever rebalances and aborted commits do to it."""

from itertools import count
from types import SimpleNamespace

from hypothesis import given
from hypothesis.strategies import integers, lists, none, one_of, sampled_from, sets

from tests.unit.runtime.fake_group import TOPIC, FakeConsumer, FakeTask, FakeWriter
from wallaroo.runtime.assignment import Assignment
from wallaroo.runtime.committer import Committer
from wallaroo.runtime.loop import Clients, Loop
from wallaroo.settings import Settings

ENDS = {0: 60, 1: 40}
strikes = lists(one_of(none(), none(), none(), sampled_from([0, 1])), max_size=80)


class TickingClock:
    """A clock that moves by a millisecond whenever it is asked."""

    def __init__(self):
        self._ticks = count()

    def monotonic(self):
        return next(self._ticks) / 1000

    def now_ms(self):
        return next(self._ticks)


def run_loop(consumer, write, list_size):
    """Until the consumer's script is over and it runs dry."""
    settings = Settings(consume_batch=list_size, commit_interval_ms=20)
    assignment = Assignment(settings, "earliest", dict, lambda at, start, _: FakeTask(at, start))
    restorer = SimpleNamespace(start=lambda restorations: [assignment.restored.put(r) for r in restorations])
    clients = Clients(consumer, Committer(write), restorer, None)
    sub = SimpleNamespace(name="sub", input=SimpleNamespace(topic=TOPIC, is_source=True))
    loop = Loop(sub, settings, assignment, lambda: clients, TickingClock())
    consumer.on_end = loop.stop
    loop.run()


@given(strikes, sets(integers(1, 30), max_size=5), integers(1, 12))
def test_every_record_is_committed_once_and_in_order(script, aborted, list_size):
    write = FakeWriter(aborted)
    run_loop(FakeConsumer(ENDS, write.offsets, script), write, list_size)
    # The very last commit may have been one of the aborted: what it held is for the next start.
    write.aborted.clear()
    run_loop(FakeConsumer(ENDS, write.offsets, []), write, list_size)
    assert write.results == {number: list(range(end)) for number, end in ENDS.items()}
    assert write.offsets == ENDS
