"""The loop processes every record once and in order, whatever rebalances and aborted commits do to it."""

from itertools import count
from types import SimpleNamespace

from hypothesis import given
from hypothesis.strategies import integers, lists, none, one_of, sampled_from, sets

from tests.unit.engine.fake_group import TOPIC, FakeConsumer, FakeRestorer, FakeTask, FakeWriter
from wallaroo.engine.commit_cycle import Clients
from wallaroo.engine.loop import Loop
from wallaroo.settings import Settings
from wallaroo.windows.future import FutureBound

ENDS = {0: 60, 1: 40}
strikes = lists(one_of(none(), none(), none(), sampled_from([0, 1])), max_size=80)


class TickingClock:
    """A clock that moves whenever it is asked, by a millisecond if nothing else is said."""

    def __init__(self, ticks_per_second=1000):
        self._ticks = count()
        self._ticks_per_second = ticks_per_second

    def monotonic(self):
        return next(self._ticks) / self._ticks_per_second

    def now_ms(self):
        return next(self._ticks)


def new_task(partition, start, _stores):
    return FakeTask(partition, start)


new_task.future = FutureBound()
new_task.partitions = 4
new_task.stages = {}


def run_loop(consumer, write, list_size, clock, **settings):
    """Until the consumer's script is over and it runs dry."""
    settings = Settings(consume_batch=list_size, commit_interval_ms=20, **settings)
    clients = Clients(consumer, None, write)
    read = SimpleNamespace(topic=TOPIC, is_source=True, is_internal=True)
    sub = SimpleNamespace(name="sub", group="app-sub", timing=None, input=read)
    loop = Loop(sub, settings, new_task, FakeRestorer(), lambda: clients, clock)
    consumer.on_end = loop.stop
    loop.run()


@given(strikes, sets(integers(1, 30), max_size=5), integers(1, 12))
def test_every_record_is_committed_once_and_in_order(script, aborted, list_size):
    write = FakeWriter(aborted)
    run_loop(FakeConsumer(ENDS, write.offsets, script), write, list_size, TickingClock())
    # The very last commit may have been one of the aborted: what it held is for the next start.
    write.aborted.clear()
    run_loop(FakeConsumer(ENDS, write.offsets, []), write, list_size, TickingClock())
    assert write.results == {number: list(range(end)) for number, end in ENDS.items()}
    assert write.offsets == ENDS


class PatientConsumer(FakeConsumer):
    """Notes for how long it is asked to wait."""

    def __init__(self, *args):
        super().__init__(*args)
        self.timeouts = set()

    def poll(self, timeout):
        self.timeouts.add(timeout)
        return super().poll(timeout)


def test_what_is_pending_lingers_in_whole_milliseconds():
    write = FakeWriter(set())
    consumer = PatientConsumer(ENDS, write.offsets, [])
    run_loop(consumer, write, 5, TickingClock(ticks_per_second=1_000_000), commit_linger_ms=1)
    assert consumer.timeouts == {0.001}


def test_with_nothing_pending_the_loop_waits_for_a_record():
    write = FakeWriter(set())
    consumer = PatientConsumer(ENDS, write.offsets, [])
    run_loop(consumer, write, 5, TickingClock())
    assert consumer.timeouts == {0.1}
