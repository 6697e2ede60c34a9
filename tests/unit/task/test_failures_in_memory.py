"""What records that fail leave in memory is bounded, however many they are and however large their states."""

import gc
import tracemalloc

import pytest

from tests.unit.task.fakes import record, records, task
from tests.unit.task.steps import ADD
from wallaroo.record import Batch
from wallaroo.task.limits import RecordLimits, RefusedRecord, TopicLimits
from wallaroo.topology.steps import Store, Update

LARGE = 500_000
SLICES = 20
CHANGELOG = "app-large-changelog"


class Large:
    def __init__(self):
        self.text = ""


def enlarge(value, state):
    state.text = value * LARGE
    return value


def fail_holding_much(value, state):
    held = [bytearray(LARGE)]
    raise ValueError(len(held), value, state)


@pytest.fixture
def traced_bytes():
    """How much more is in use than at the beginning; nothing collects garbage meanwhile."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    yield lambda: tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    gc.enable()


def process_slices(made):
    """Process slices of two records each, and commit every slice; returns the last batch."""
    batch: Batch | None = None
    for number in range(1, SLICES):
        made.process([record(2 * number + n, b"x", b"k") for n in range(2)])
        batch = made.collect()
        made.committed(batch)
    return batch


def replaying(function):
    made = task(Update("large", function, Store("large", CHANGELOG, Large)))
    made.replay()
    made.enforce(RecordLimits(10 * LARGE, {CHANGELOG: TopicLimits(max_bytes=LARGE // 2)}))
    made.process([record(0, b"x", b"k")])
    made.committed(made.collect())
    return made


@pytest.mark.parametrize("function", [enlarge, fail_holding_much])
def test_a_state_that_is_always_too_large_leaves_nothing_behind(traced_bytes, function):
    made = replaying(function)
    batch = process_slices(made)
    assert sum(batch.dead_letters.values()) == 2
    assert traced_bytes() < 2 * LARGE


def test_what_a_topic_has_refused_is_forgotten_once_it_is_committed_even_if_the_replay_goes_on(traced_bytes):
    made = task(ADD)
    for offset in range(SLICES):
        made.replay()
        refused = ("app-total-changelog", bytes(LARGE), b"k", 1)
        made.refuse(RefusedRecord(1, refused, (offset, 0), "too large"))
        made.process(records(b"1", start=offset))
        batch = made.collect()
        made.committed(batch)
        assert batch.dead_letters == {("add", "RecordError"): 1}
    assert traced_bytes() < 2 * LARGE
