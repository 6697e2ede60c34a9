"""The applications of the simulation, their input, and what has to come of it, in the simplest words.

A record is the text `key:number:deed:milliseconds`. The deed says where it is to fail. The models know
nothing of the engine: they go through the input, partition by partition.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property

import wallaroo
from tests.properties import window_model
from wallaroo.serde.codecs import codecs_of
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.timing import with_idle_timeout, with_max_future

MS = 1_000_000
KEYS = ("a", "b", "c", "d")
# When the simulation begins, in milliseconds.
BEGIN_MS = 1_790_000_000_000

FINE, DROPPED, MALFORMED, EARLY, BOOM, LATER, ONCE = "fine", "drop", "bad", "early", "boom", "later", "once"
# The windows that hold such a record fail when they are due.
SPOILING = "spoil"
# What has failed once already, in this schedule: user code that fails by chance.
failed_once = set()


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of the input; `time` is milliseconds, `partition` that of the source."""

    key: str
    number: int
    deed: str
    time: int
    partition: int

    @property
    def value(self):
        text = f"{self.key}:{self.number}:{self.deed}:{self.time}"
        return b"\xff" + text.encode() if self.deed == MALFORMED else text.encode()


class Total:
    total = 0
    seen = 0


class Sum:
    total = 0


@wallaroo.decoder()
def decode(bs):
    key, number, deed, time = bs.decode().split(":")
    return key, int(number), deed, int(time)


@wallaroo.encoder
def encode(message):
    return json.dumps(message[1]), message[0]


@wallaroo.computation("check")
def check(message):
    if message[2] == EARLY:
        raise ValueError("early")
    return None if message[2] == DROPPED else message


@wallaroo.key_extractor
def by_key(message):
    return message[0]


@wallaroo.key_extractor
def by_name(message):
    """The same key once more: another extractor, and so another topic."""
    return message[0]


def fail(message, deed):
    """Raise if this record is to fail at this place."""
    if message[2] == deed:
        raise ValueError(deed)
    if message[2] == ONCE and (message, deed) not in failed_once:
        failed_once.add((message, deed))
        raise RuntimeError("once")


@wallaroo.state_computation("total", Total)
def total(message, state):
    state.seen += 1
    state.total += message[1]
    fail(message, BOOM)
    return message[0], state.total, message[2], message[3]


@wallaroo.state_computation("sum", Sum)
def sum_of_totals(message, state):
    state.total += message[1]
    fail(message, LATER)
    return message[0], state.total


class Gather(wallaroo.Aggregation):
    """All numbers of a window; one below zero spoils it."""

    def initial_accumulator(self):
        return []

    def update(self, message, values):
        values.append(-message[1] if message[2] == SPOILING else message[1])
        fail(message, BOOM)

    def combine(self, values, others):
        return values + others

    def output(self, key, values):
        if min(values) < 0:
            raise ValueError("spoilt")
        return key, sorted(values)


class GatherAgain(wallaroo.Aggregation):
    """All results of the windows before."""

    def initial_accumulator(self):
        return []

    def update(self, message, values):
        values.append(message[1])

    def combine(self, values, others):
        return values + others

    def output(self, key, values):
        return key, sorted(values)


def event_time(message):
    return message[3] * MS


def source(partitioned_by=None, event_time=None):
    config = wallaroo.KafkaSourceConfig(
        "in", decoder=decode, partitioned_by=partitioned_by, event_time=event_time
    )
    return wallaroo.source("in", config)


@dataclass(frozen=True)
class App:
    """An application and its model.

    `model` takes the outcomes of records, by partition, and returns what each key's results are, what is left
    in the state of each stage, and how many windows of each key have failed. Windows hold a record for no
    longer than `windows_for_ms`. With `is_live`, records have the time at which they are sent, less up to
    `jitter` milliseconds; otherwise all are there before anything begins, with times within `spread`.
    """

    name: str
    pipeline: object
    model: object
    deeds: tuple[str, ...]
    is_timed: bool = False
    windows_for_ms: int = 0
    is_live: bool = False
    jitter: int = 0
    spread: int = 0
    codecs: object = field(default_factory=lambda: codecs_of(None))

    @cached_property
    def topology(self):
        sink = wallaroo.KafkaSinkConfig("out", encoder=encode)
        return compile_topology(wallaroo.build_application("app", self.pipeline.to_sink(sink)))

    @cached_property
    def subs(self):
        return [
            with_max_future(with_idle_timeout(sub, None), 1_800_000) for sub in self.topology.sub_topologies
        ]


def totals(partitions):
    said, states = defaultdict(list), defaultdict(lambda: [0, 0])
    for record in good(partitions):
        states[record.key][0] += record.number
        states[record.key][1] += 1
        said[record.key].append(states[record.key][0])
    return said, {"total": {key: tuple(state) for key, state in states.items()}}, {}


def totals_of_totals(partitions):
    first, states = defaultdict(int), defaultdict(lambda: [0, 0])
    said, sums = defaultdict(list), defaultdict(int)
    for record in good(partitions, BOOM):
        first[record.key] += record.number
        states[record.key][0] += record.number
        states[record.key][1] += 1
        if not record.fails_at(LATER):
            sums[record.key] += first[record.key]
            said[record.key].append(sums[record.key])
    return said, {"total": {k: tuple(v) for k, v in states.items()}, "sum": dict(sums)}, {}


COUNT = 3


def counts(partitions):
    said, held = defaultdict(list), defaultdict(list)
    for record in good(partitions):
        held[record.key].append(record.number)
        if len(held[record.key]) == COUNT:
            said[record.key].append(sorted(held.pop(record.key)))
    return said, {None: {key: (len(values), values) for key, values in held.items()}}, {}


RANGE, SLIDE, DELAY = 10_000, 5_000, 4_000


def windows_of_partitions(partitions):
    """Each partition of the source has a clock of its own; what comes too late is a result by itself."""
    said = defaultdict(list)
    for records in partitions.values():
        found = [window_model.Message(r.key, r.number, r.time) for r in records if not r.fails]
        stage = window_model.RangeWindows(RANGE, SLIDE, DELAY, window_model.FIRE)
        stream = stage([*window_model.source(found), window_model.END])
        for key, results in window_model.results(stream).items():
            said[key] += [list(values) for values, _ in results]
    return said, {None: {}}, {}


def windows(partitions):
    """Nothing is late: each window has all numbers of its time."""
    said, spoilt = defaultdict(list), Counter()
    for key, found in _slid(partitions).items():
        said[key] = [values for _, values in found if values is not None]
        spoilt[key] = len(found) - len(said[key])
    return _not_empty(said), {None: {}}, +spoilt


AGAIN = 20_000


def windows_of_windows(partitions):
    """A result of the first windows has the last millisecond of its window as its time."""
    said, spoilt = defaultdict(list), Counter()
    for key, found in _slid(partitions).items():
        held = defaultdict(list)
        for end, values in found:
            if values is not None:
                held[(end - 1) // AGAIN].append(values)
        said[key] = [sorted(results) for _, results in sorted(held.items())]
        spoilt[key] = sum(values is None for _, values in found)
    return _not_empty(said), {None: {}}, +spoilt


def _not_empty(said):
    return {key: results for key, results in said.items() if results}


def _slid(partitions):
    """By key, the end of each window and what it holds; None if that was spoilt."""
    held = defaultdict(list)
    for record in good(partitions):
        for k in range((record.time - RANGE) // SLIDE + 1, record.time // SLIDE + 1):
            held[k, record.key].append(record)
    found = defaultdict(list)
    for (k, key), records in sorted(held.items()):
        spoilt = any(record.sent.deed == SPOILING for record in records)
        found[key].append((k * SLIDE + RANGE, None if spoilt else sorted(r.number for r in records)))
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """A record and where it failed, if it did: the stage's deed."""

    sent: Sent
    failed: str | None

    key = property(lambda self: self.sent.key)
    number = property(lambda self: self.sent.number)
    time = property(lambda self: self.sent.time)

    @property
    def fails(self):
        return self.failed is not None or self.sent.deed == DROPPED

    def fails_at(self, deed):
        return self.failed == deed


def good(partitions, *until):
    """The records that were not dropped and did not fail; with `until`, those that failed behind that."""
    for records in partitions.values():
        for record in records:
            if record.sent.deed != DROPPED and (record.failed is None or (until and record.failed == LATER)):
                yield record


def _applications():
    slid = wallaroo.range_windows(RANGE * MS).with_slide(SLIDE * MS).with_delay(DELAY * MS)
    fired = slid.with_late_data_policy(wallaroo.LateDataPolicy.FIRE_PER_MESSAGE)
    common = (FINE,) * 12 + (MALFORMED, BOOM, ONCE)
    keyed = source(by_key).key_by(by_key)
    hop = source().to(check).key_by(by_key)
    filtered = (*common, DROPPED, EARLY)
    behind = hop.to(slid.over(Gather))
    again = wallaroo.range_windows(AGAIN * MS).over(GatherAgain)
    return (
        App("keyed", keyed.to(total), totals, common),
        App("hop", hop.to(total), totals, filtered),
        App(
            "two hops", hop.to(total).key_by(by_name).to(sum_of_totals), totals_of_totals, (*filtered, LATER)
        ),
        App("count windows", hop.to(wallaroo.count_windows(COUNT).over(Gather)), counts, filtered),
        App(
            "windows",
            source(by_key, event_time).key_by(by_key).to(fired.over(Gather)),
            windows_of_partitions,
            common,
            is_timed=True,
            windows_for_ms=RANGE + DELAY,
            spread=60_000,
        ),
        App(
            "windows behind a hop",
            behind,
            windows,
            (*filtered, SPOILING),
            is_timed=True,
            windows_for_ms=RANGE + DELAY,
            is_live=True,
            jitter=DELAY,
        ),
        App(
            "windows of windows",
            behind.key_by(by_name).to(again),
            windows_of_windows,
            (*filtered, SPOILING),
            is_timed=True,
            windows_for_ms=RANGE + DELAY + AGAIN,
            is_live=True,
            jitter=DELAY,
        ),
    )


APPLICATIONS = _applications()
