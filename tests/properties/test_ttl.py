"""States with a time to live against a model that knows a key's records alone, whatever happens meanwhile."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from tests.properties.streams import paces, scripts, scripts_without_sending
from tests.properties.window_samples import (
    KEYS,
    MS,
    behind_a_hop,
    close_all,
    messages,
    open_keys,
    read,
    run_through,
    without_hop,
)
from wallaroo.state.store import POSITION_KEY

CHANGELOG = ["app-seen-changelog"]
# Every so many messages there is one on which the stage fails, after it has changed the state.
BAD = 5

ttls = st.integers(1, 60)
applications = pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])


class Seen:
    """All values that the key has had since its state was fresh."""

    def __init__(self):
        self.values = []


def stage(ttl, fails=False, multi=False, deletes=False):
    def see(message, seen):
        seen.values.append(message[1])
        if fails and message[1] % BAD == 0:
            raise ValueError(message)
        made = message[0], tuple(seen.values)
        return [made] if multi else made

    def see_and_delete(message, seen, context):
        assert context.event_time == message[2] * MS
        if ends(message[1]):
            context.delete()
        return see(message, seen)

    decorate = wallaroo.state_computation_multi if multi else wallaroo.state_computation
    return decorate(name="seen", state=Seen, ttl=ttl * MS)(see_and_delete if deletes else see)


def ends(value):
    """Whether a message deletes the state of its key, where any does."""
    return value % 3 == 0


@dataclass
class Model:
    """A key's state by its records alone, unless one comes further behind the watermark than is promised."""

    ttl: int
    deletes: bool = False
    watermark: float = float("-inf")
    latest: dict[str, int] = field(default_factory=dict)
    values: dict[str, list[int]] = field(default_factory=dict)

    def __call__(self, sent):
        found = {}
        for message in sent:
            self._see(message)
            self.watermark = max(self.watermark, message.time)
            made = tuple(self.values[message.key]), message.time // MS
            found.setdefault(message.key, []).append(made)
            if self.deletes and ends(message.value):
                del self.latest[message.key]
        return found

    def _see(self, message):
        latest = self.latest.get(message.key, float("-inf"))
        gone = self.watermark > latest + self.ttl + self.ttl // 10
        if message.time - latest > self.ttl or gone:
            self.values[message.key] = []
            latest = message.time
        self.latest[message.key] = max(latest, message.time)
        self.values[message.key].append(message.value)


def by_time(message):
    return message.time


def in_time(ordered, ttl):
    """Each message as late as it may be: behind all that are no more than a tenth of the ttl after it."""
    return sorted(ordered, key=lambda m: m.time // MS // max(1, ttl // 10) * 1_000 - m.time // MS)


def by_records_alone(sent, ttl):
    found, last = {}, {}
    for message in sent:
        latest, values = last.get(message.key, (float("-inf"), []))
        fresh = message.time - latest > ttl * MS
        values = [] if fresh else values
        values.append(message.value)
        last[message.key] = message.time if fresh else max(latest, message.time), values
        found.setdefault(message.key, []).append((tuple(values), message.time // MS))
    return found


def expected_of(application_of, sent, ttl, deletes=False):
    """Behind a hop from one partition, the watermark is that of all keys; else that of the partition's."""
    if application_of is behind_a_hop:
        return Model(ttl * MS, deletes)(sent)
    found = {}
    for key in {message.key for message in sent}:
        found |= {key: Model(ttl * MS, deletes)([m for m in sent if m.key == key])[key]}
    return found


def to_partition(message):
    return KEYS.index(message.key)


def run(application, sent, script, pace, application_of):
    """One partition before a hop; without one, a partition for each key."""
    if application_of is behind_a_hop:
        return run_through(application, sent, script, pace, {"in": 1})
    return run_through(application, sent, script, pace, {"in": 3}, to_partition)


@applications
@given(messages(latest=200), st.tuples(ttls, st.booleans(), st.booleans()), scripts(), paces())
def test_a_record_finds_what_the_model_finds(application_of, sent, options, script, pace):
    ttl, multi, declared = options
    application = application_of(stage(ttl, multi=multi), declared_time=declared)
    driver = run(application, sent, script, pace, application_of)
    assert read(driver) == expected_of(application_of, sent, ttl)


@given(messages(latest=200), ttls, scripts_without_sending, paces(), st.integers(1, 3))
def test_what_is_in_time_depends_on_the_records_of_its_key_alone(sent, ttl, script, pace, partitions):
    """Whatever the partitions of the source, whose watermarks differ meanwhile."""
    stream = in_time(sorted(sent, key=by_time), ttl)
    counts = {"in": partitions, "app-by-key-repartition": 3}
    application = behind_a_hop(stage(ttl))
    driver = run_through(application, stream, script, pace, counts, lambda m: to_partition(m) % partitions)
    assert read(driver) == by_records_alone(stream, ttl)


@given(messages(latest=200), ttls, scripts(), paces())
def test_a_record_that_fails_leaves_no_trace(sent, ttl, script, pace):
    """In a source it moves no clock either."""
    driver = run(without_hop(stage(ttl, fails=True)), sent, script, pace, without_hop)
    good = [message for message in sent if message.value % BAD]
    assert read(driver) == expected_of(without_hop, good, ttl)
    assert len(driver.dead_letters()) == len(sent) - len(good)


@given(messages(latest=200), ttls, scripts_without_sending, paces(), st.integers(1, 3))
def test_a_record_that_fails_behind_a_hop_leaves_no_trace(sent, ttl, script, pace, partitions):
    stream = in_time(sorted(sent, key=by_time), ttl)
    application = behind_a_hop(stage(ttl, fails=True))
    driver = run_through(
        application, stream, script, pace, {"in": partitions}, lambda m: to_partition(m) % partitions
    )
    good = [message for message in stream if message.value % BAD]
    assert read(driver) == by_records_alone(good, ttl)
    assert len(driver.dead_letters()) == len(stream) - len(good)


@applications
@given(messages(latest=200), st.tuples(ttls, st.booleans(), st.booleans()), scripts(), paces())
def test_a_deleted_state_takes_its_time_with_it(application_of, sent, options, script, pace):
    """The next message of the key is as its first, though it may be older than the one that deleted."""
    ttl, multi, fails = options
    fails = fails and application_of is without_hop
    application = application_of(stage(ttl, fails, multi, deletes=True))
    driver = run(application, sent, script, pace, application_of)
    good = [message for message in sent if not fails or message.value % BAD]
    assert read(driver) == expected_of(application_of, good, ttl, deletes=True)
    close_all(driver, 3_600_000)
    assert open_keys(driver, CHANGELOG) == set()


@applications
@given(messages(latest=200), ttls, scripts(), paces())
def test_in_the_end_nothing_is_kept(application_of, sent, ttl, script, pace):
    driver = close_all(run(application_of(stage(ttl)), sent, script, pace, application_of), 3_600_000)
    assert open_keys(driver, CHANGELOG) == set()
    assert {driver.state("seen", key) for key in KEYS} <= {None}


@applications
@given(messages(latest=200), ttls, scripts(), paces())
def test_a_key_is_gone_once_the_watermark_is_beyond(application_of, sent, ttl, script, pace):
    """Later messages of other keys are enough, and a crash brings nothing back."""
    driver = run(application_of(stage(ttl)), sent, script, pace, application_of)
    later = 200 + 2 * ttl + 1
    for partition in range(1 if application_of is behind_a_hop else 3):
        driver.send("in", f"x:0:{later}", "x", timestamp_ms=later, partition=partition)
    driver.run()
    driver.crash()
    driver.run()
    assert {driver.state("seen", key) for key in KEYS} <= {None}
    assert {key for _, _, key in open_changelog(driver)} <= {b"x"}


def open_changelog(driver):
    """The keys that have a value."""
    left = {}
    for record in driver.records(CHANGELOG[0]):
        left[record.topic, record.partition, record.key] = record.value
    return [place for place, value in left.items() if value is not None and place[2] != POSITION_KEY]
