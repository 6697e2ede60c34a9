"""Bursts after idle spells: what is in order in its partition, and was there in time, is never late.

In time is what was in the topic before records of other partitions closed its window. How the driver
interleaves tasks, commits, looks at the clock and crashes changes nothing.
"""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.streams import paces
from tests.properties.test_window_watermarks import by_initial
from tests.properties.window_model import Message
from tests.properties.window_samples import (
    KEYS,
    MS,
    GatherAgain,
    behind_a_hop,
    by_key,
    close_all,
    expected,
    finished,
    read,
    source,
    timed,
)
from wallaroo.testing import ApplicationDriver

# Shorter than what it takes to be idle, about as long, and very much longer.
pauses = st.sampled_from((1, 3, 12, 24, 48, 500, 86_400_000))
deeds = st.sampled_from(
    (("step", 1), ("step", 2), ("step", 5), ("begin_commit",), ("commit",), ("abort",), ("crash",), ("run",))
)
# A record (partition, key, milliseconds after the one before it in its partition), or a deed.
records = st.tuples(st.integers(0, 3), st.sampled_from(KEYS), st.sampled_from((0, 1, 2, 7, 30)))
bursts = st.tuples(
    st.lists(records, max_size=6), st.lists(records | deeds, max_size=10), st.lists(pauses, max_size=3)
)
days = st.lists(bursts, min_size=1, max_size=4)
counts = st.integers(1, 4)


@dataclass
class Stream:
    """Partitions that are written in order; `floor` is how far any clock can have come."""

    driver: ApplicationDriver
    partitions: int
    floor: int = 0
    newest: dict[int, int] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)

    def happens(self, event):
        if isinstance(event[0], str):
            getattr(self.driver, event[0])(*event[1:])
        else:
            self.write(*event)

    def write(self, number, key, later):
        """A partition that is not idle holds the clocks of all; one that may be is behind none of them."""
        partition = number % self.partitions
        furthest = max([self.floor, *self.newest.values()])
        time = self.newest.get(partition, furthest) + later
        self.newest[partition] = time
        value = f"{key}:{len(self.sent)}:{time}"
        self.sent.append(Message(key, len(self.sent), time * MS))
        self.driver.send("in", value, key, timestamp_ms=time, partition=partition)

    def burst(self, written, events):
        """All that is written before anything is read may begin at the floor, in every partition."""
        self.floor = max([self.floor, *self.newest.values()])
        for number, key, later in written:
            self.newest.setdefault(number % self.partitions, self.floor)
            self.write(number, key, later)
        for event in events:
            self.happens(event)

    def pause(self, milliseconds):
        self.driver.advance(milliseconds)
        self.floor = max([self.floor, *self.newest.values()]) + milliseconds
        self.newest.clear()

    def in_order(self):
        return sorted(self.sent, key=lambda message: message.time)


def live_through(application, day, pace, topics):
    stream = Stream(ApplicationDriver(application, topics, pace=pace), topics["in"])
    for written, events, pausing in day:
        stream.burst(written, events)
        for milliseconds in pausing:
            stream.pause(milliseconds)
            stream.driver.run()
    return stream


def live_through_without_reading(application, day, pace, topics):
    """The same, but the clock goes on whether everything has been read or not."""
    stream = Stream(ApplicationDriver(application, topics, pace=pace), topics["in"])
    for written, events, pausing in day:
        stream.burst(written, events)
        for milliseconds in pausing:
            stream.pause(milliseconds)
    return stream


lives = st.sampled_from((live_through, live_through_without_reading))


@given(lives, days, timed(), paces(), counts, counts)
def test_after_an_idle_spell_nothing_is_late_that_was_there_in_time(live, day, shape, pace, sources, hop):
    topics = {"in": sources, "app-by-key-repartition": hop}
    stream = live(behind_a_hop(shape.declared()), day, pace, topics)
    stream.driver.run()
    assert read(close_all(stream.driver, 10**9)) == expected(stream.in_order(), shape)


@given(lives, days, timed(), timed(), paces(), counts, counts)
def test_nor_behind_a_second_hop(live, day, first, second, pace, sources, hop):  # noqa: PLR0913, PLR0917
    pipeline = source().key_by(by_key).to(first.declared())
    application = finished(pipeline.key_by(by_initial).to(second.declared(GatherAgain)))
    topics = {"in": sources, "app-by-key-repartition": hop, "app-by-initial-repartition": 2}
    stream = live(application, day, pace, topics)
    stream.driver.run()
    found = [(k, *each) for k, made in expected(stream.in_order(), first).items() for each in made]
    inner = [Message(key, value, time * MS) for key, value, time in found]
    inner.sort(key=lambda message: message.time)
    assert read(close_all(stream.driver, 10**9)) == expected(inner, second)
