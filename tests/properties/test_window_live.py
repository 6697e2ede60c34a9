"""Windows while the clock goes on: streams that pause, and partitions that are quiet for long."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.streams import paces
from tests.properties.window_model import Message
from tests.properties.window_samples import (
    KEYS,
    MS,
    behind_a_hop,
    close_all,
    expected,
    read,
    timed,
    without_hop,
)
from wallaroo.testing import ApplicationDriver

# A pause is shorter than what it takes to be idle, about as long, or very much longer.
pauses = st.sampled_from((0, 1, 3, 12, 24, 500, 86_400_000))
deeds = st.sampled_from((("run", ()), ("crash", ()), ("abort", ()), ("begin_commit", ()), ("step", (2,))))
counts = st.fixed_dictionaries({"in": st.integers(1, 4), "app-by-key-repartition": st.integers(1, 4)})


@dataclass
class Live:
    """A stream whose messages are written as they happen."""

    driver: ApplicationDriver
    now_ms: int = 0
    sent: list[Message] = field(default_factory=list)

    def write(self, key, partition):
        value = f"{key}:{len(self.sent)}:{self.now_ms}"
        self.sent.append(Message(key, len(self.sent), self.now_ms * MS))
        self.driver.send("in", value, key, timestamp_ms=self.now_ms, partition=partition)

    def wait(self, milliseconds):
        """All that has been written is read before time goes on."""
        self.driver.run()
        self.driver.advance(milliseconds)
        self.now_ms += milliseconds


@st.composite
def days(draw):
    """Pauses; after each some messages (key, a number for the partition), and what happens to the service."""
    message = st.tuples(st.sampled_from(KEYS), st.integers(0, 3))
    moment = st.tuples(pauses, st.lists(message, max_size=4), st.lists(deeds, max_size=3))
    return draw(st.lists(moment, max_size=12))


def live_through(application, day, pace, partitions, partition_of):
    live = Live(ApplicationDriver(application, partitions, pace=pace))
    for pause, written, happening in day:
        live.wait(pause)
        for key, number in written:
            live.write(key, partition_of(key, number))
        for name, arguments in happening:
            getattr(live.driver, name)(*arguments)
    live.driver.run()
    return live


@given(days(), timed(), paces(), counts)
def test_behind_a_hop_nothing_is_late_that_is_written_as_it_happens(day, shape, pace, partitions):
    application = behind_a_hop(shape.declared())
    live = live_through(application, day, pace, partitions, lambda _key, number: number % partitions["in"])
    assert read(close_all(live.driver)) == expected(live.sent, shape)


@given(days(), timed(), paces())
def test_without_a_hop_nothing_is_late_that_is_written_as_it_happens(day, shape, pace):
    live = live_through(without_hop(shape.declared()), day, pace, 4, lambda key, _number: KEYS.index(key))
    assert read(close_all(live.driver)) == expected(live.sent, shape)


@given(days(), timed(), paces(), counts)
def test_a_window_that_has_been_due_for_long_has_fired_whatever_is_quiet(day, shape, pace, partitions):
    application = behind_a_hop(shape.declared())
    live = live_through(application, day, pace, partitions, lambda _key, number: number % partitions["in"])
    # Idle after range + delay; what an upstream says of it must then be read.
    live.wait(4 * (shape.range + shape.delay))
    live.driver.run()
    assert read(live.driver) == expected(live.sent, shape)
