"""Applications with windows that gather values, and random streams of messages for them.

A message is the text `key:value:time`; times are in milliseconds.
"""

import json
from dataclasses import dataclass, replace

from hypothesis import strategies as st

import wallaroo
from tests.properties.window_model import END, CountWindows, Message, RangeWindows, SessionWindows, results
from wallaroo.testing import ApplicationDriver

KEYS = ("a", "b", "ß")
POLICIES = tuple(wallaroo.LateDataPolicy)
MS = 1_000_000
# The epoch, an hour later, and today: what lies between them is a gap of very many windows.
ERAS = (0, 0, 3_600_000, 1_790_000_000_000)


class Gather(wallaroo.Aggregation):
    """All values of a window, in a list that is changed in place."""

    updates = 0

    def initial_accumulator(self):
        return []

    def update(self, message, values):
        type(self).updates += 1
        values.append(message[1])

    def combine(self, values, others):
        return values + others

    def output(self, key, values):
        return key, tuple(sorted(values))


class GatherTuples(Gather):
    """The same with accumulators that never change."""

    def initial_accumulator(self):
        return ()

    def update(self, message, values):
        type(self).updates += 1
        return (*values, message[1])


class Own:
    """An accumulator of a class of one's own."""

    def __init__(self):
        self.values = []


class GatherObjects(Gather):
    def initial_accumulator(self):
        return Own()

    def update(self, message, own):
        type(self).updates += 1
        own.values.append(message[1])

    def combine(self, own, other):
        both = Own()
        both.values = own.values + other.values
        return both

    def output(self, key, own):
        return key, tuple(sorted(own.values))


AGGREGATIONS = (Gather, GatherTuples, GatherObjects)


class GatherKnown(Gather):
    """With all that the window knows."""

    def output(self, key, values, window):
        return key, (window.start, window.end, window.final, tuple(sorted(values)))


class GatherAgain(Gather):
    """Behind another window: its results are the values."""


@wallaroo.decoder()
def decode(bs):
    key, value, time = bs.decode().split(":")
    return key, int(value), int(time)


@wallaroo.encoder
def encode(made):
    key, values = made
    return json.dumps(values), key


@wallaroo.key_extractor
def by_key(message):
    return message[0]


@wallaroo.key_extractor
def by_name(message):
    """The same key once more: another extractor, and so another topic."""
    return message[0]


def event_time(message):
    return message[2] * MS


@dataclass(frozen=True, slots=True)
class Shape:
    """Windows of one stage, in units of so many nanoseconds: milliseconds, unless told otherwise."""

    range: int
    slide: int
    delay: int = 0
    policy: str = "drop"
    unit: int = MS
    offset: int = 0
    early: int | None = None

    def declared(self, aggregation=Gather):
        windows = wallaroo.range_windows(self.range * self.unit).with_slide(self.slide * self.unit)
        windows = windows.with_delay(self.delay * self.unit).with_late_data_policy(self.policy)
        if self.early is not None:
            windows = windows.with_early_results(self.early * self.unit or None)
        return windows.with_offset(self.offset * self.unit).over(aggregation)

    def modelled(self):
        spans = (self.range * self.unit, self.slide * self.unit, self.delay * self.unit)
        early = None if self.early is None else self.early * self.unit
        return RangeWindows(*spans, str(self.policy), self.offset * self.unit, early)


@dataclass(frozen=True, slots=True)
class Gap:
    """Sessions of one stage; `range` is how long the last message keeps one open."""

    gap: int
    delay: int = 0
    policy: str = "drop"
    unit: int = MS
    early: int | None = None

    @property
    def range(self):
        return self.gap

    def declared(self, aggregation=Gather):
        windows = wallaroo.session_windows(self.gap * self.unit).with_delay(self.delay * self.unit)
        if self.early is not None:
            windows = windows.with_early_results(self.early * self.unit or None)
        return windows.with_late_data_policy(self.policy).over(aggregation)

    def modelled(self):
        early = None if self.early is None else self.early * self.unit
        return SessionWindows(self.gap * self.unit, self.delay * self.unit, str(self.policy), early)


@dataclass(frozen=True, slots=True)
class Counting:
    """Count windows."""

    count: int

    def declared(self, aggregation=Gather):
        return wallaroo.count_windows(self.count).over(aggregation)

    def modelled(self):
        return CountWindows(self.count)


def shapes(policies=POLICIES, least_delay=0):
    """Slides that divide the range and slides that do not, tumbling windows among them."""
    delays = st.integers(least_delay, least_delay + 12)
    spans = st.integers(1, 12).flatmap(lambda r: st.tuples(st.just(r), st.integers(1, r) | st.just(r)))
    policy = st.sampled_from(policies)
    plain = st.builds(lambda span, *rest: Shape(*span, *rest), spans, delays, policy)
    return plain | plain.flatmap(_with_any_offset)


def _with_any_offset(shape):
    return st.integers(1 - shape.slide, shape.slide - 1).map(lambda offset: replace(shape, offset=offset))


def gaps(policies=POLICIES, least_delay=0):
    delays = st.integers(least_delay, least_delay + 12)
    return st.builds(Gap, st.integers(1, 8), delays, st.sampled_from(policies))


def timed(policies=POLICIES, least_delay=0):
    """Windows over event time, of every kind."""
    return shapes(policies, least_delay) | gaps(policies, least_delay)


def countings():
    return st.builds(Counting, st.integers(1, 4))


def messages(latest=40, eras=(0,)):
    """Of a few keys, at any time of some eras, with values that tell each message from all others."""
    times = st.builds(int.__add__, st.sampled_from(eras), st.integers(0, latest))
    some = st.lists(st.tuples(st.sampled_from(KEYS), times), max_size=30)
    return some.map(lambda made: [Message(key, n, at * MS) for n, (key, at) in enumerate(made)])


def finished(pipeline):
    return wallaroo.build_application(
        "app", pipeline.to_sink(wallaroo.KafkaSinkConfig("out", encoder=encode))
    )


def source(name="in", declared_time=False, partitioned_by=None):
    return wallaroo.source(
        name,
        wallaroo.KafkaSourceConfig(
            name,
            decoder=decode,
            partitioned_by=partitioned_by,
            event_time=event_time if declared_time else None,
        ),
    )


def without_hop(*windows, declared_time=False):
    """Each partition of the source is a task of its own."""
    pipeline = source(declared_time=declared_time, partitioned_by=by_key).key_by(by_key)
    for each in windows:
        pipeline = pipeline.to(each)
    return finished(pipeline)


def behind_a_hop(*windows, declared_time=False):
    pipeline = source(declared_time=declared_time).key_by(by_key)
    for each in windows:
        pipeline = pipeline.to(each)
    return finished(pipeline)


def send(driver, sent, partition_of=None, topic="in"):
    """Messages as records; without `partition_of`, to the partition of their key."""
    for message in sent:
        time = message.time // MS
        value = f"{message.key}:{message.value}:{time}"
        partition = None if partition_of is None else partition_of(message)
        driver.send(topic, value, message.key, timestamp_ms=time, partition=partition)


def run_through(application, sent, script=(), pace=None, partitions=4, partition_of=None, **options):
    """A driver that has been through a script, and then through all that was left."""
    driver = ApplicationDriver(application, partitions, pace=pace, **options)
    waiting = list(sent)
    for name, count in script:
        if name == "send":
            send(driver, waiting[:count], partition_of)
            del waiting[:count]
        elif count is None:
            getattr(driver, name)()
        else:
            driver.step(count)
    send(driver, waiting, partition_of)
    driver.run()
    return driver


def close_all(driver, milliseconds=10_000):
    """The stream has ended: the wall clock closes what is open."""
    driver.advance(milliseconds)
    driver.run()
    return driver


def read(driver, topic="out"):
    """Results by key, in order, as (value, time in milliseconds)."""
    found = {}
    for record in driver.records(topic):
        made = _tuples(json.loads(record.value)), record.timestamp_ms
        found.setdefault(record.key.decode(), []).append(made)
    return found


def in_milliseconds(found):
    return {key: [(value, time // MS) for value, time in made] for key, made in found.items()}


def expected(messages, *stages):
    """What the model makes of a partition's messages, and of its end."""
    stream = iter([*messages, END])
    for stage in stages:
        stream = stage.modelled()(stream)
    return in_milliseconds(results(stream))


def open_keys(driver, topology_stores):
    """What is left in changelogs: the keys that have a value."""
    left = {}
    for topic in topology_stores:
        for record in driver.records(topic):
            left[topic, record.partition, record.key] = record.value
    return {key for (_, _, key), value in left.items() if value is not None}


def _tuples(value):
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
