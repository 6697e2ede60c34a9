"""A key that is ended: new when it is touched again, a tombstone when it is committed, back after an undo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.state.conftest import IMPLEMENTATIONS


class Total:
    def __init__(self, total=0):
        self.total = total


class Digits:
    """Readable bytes."""

    def encode(self, value):
        return b"%d" % value.total

    def encode_all(self, values):
        return [self.encode(each) for each in values]

    def decode(self, data):
        return Total(int(data))


def store_of(implementation, **committed):
    made = implementation("total", Total, Digits())
    for key, total in committed.items():
        made.restore(key.encode(), b"%d" % total)
    return made


@pytest.fixture
def made(implementation):
    return store_of(implementation, a=5)


def end(made, key=b"a"):
    made.touch(key)
    made.end(key)


def commit(made):
    changes = dict(made.collect())
    made.commit()
    return changes


def test_a_key_that_was_ended_is_a_tombstone(made):
    end(made)
    assert made.current(b"a") is None
    assert commit(made) == {b"a": None}
    assert (len(made), made.live(b"a"), made.find(b"a")) == (0, None, None)


def test_a_key_that_was_ended_is_new_when_it_is_touched_again(made):
    end(made)
    made.touch(b"a").total += 1
    assert commit(made) == {b"a": b"1"}
    assert made.touch(b"a").total == 1


def test_a_key_whose_tombstone_is_in_flight_is_new_when_it_is_touched(made):
    end(made)
    made.collect()
    made.touch(b"a").total += 1
    made.commit()
    assert commit(made) == {b"a": b"1"}


def test_a_key_that_was_never_committed_leaves_no_trace(made):
    end(made, b"new")
    assert commit(made) == {}


def test_a_rollback_brings_a_key_back(made):
    end(made)
    made.rollback()
    assert made.touch(b"a").total == 5


def test_a_rollback_brings_a_key_back_whose_tombstone_is_in_flight(made):
    end(made)
    made.collect()
    made.touch(b"a").total += 1
    made.rollback()
    assert made.touch(b"a").total == 5


def test_what_the_stage_does_after_the_end_is_lost(made):
    state = made.touch(b"a")
    made.end(b"a")
    state.total = 99
    assert commit(made) == {b"a": None}


# What is done to a store, in any order: records that add or end, each kept or undone, and commits.
_deeds = st.tuples(st.sampled_from(("add", "end", "add and fail", "end and fail")), st.sampled_from(b"ab"))
_events = st.sampled_from(("collect", "commit", "rollback")).map(lambda name: (name, 0))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("saving", [True, False], ids=["one by one", "in slices"])
@given(st.lists(_deeds | _events, max_size=40))
def test_any_order_of_records_and_commits_is_as_in_a_dict(implementation, saving, script):
    made, model = store_of(implementation), Model()
    for name, number in script:
        key = bytes([number])
        if name in ("collect", "commit", "rollback"):
            getattr(model, name)(made)
        elif saving or not name.endswith("fail"):
            model.record(name, key, made, saving=saving)
    model.collect(made)
    model.commit(made)
    assert {key: int(data) for key, data in made.items()} == model.now == model.log


class Model:
    """What counts now, what a rollback goes back to, and what the changelog says."""

    def __init__(self):
        self.now, self.committed, self.log = {}, {}, {}
        self.in_flight = None

    def record(self, name, key, made, *, saving):
        before = dict(self.now)
        state = (made.touch_saving if saving else made.touch)(key)
        assert state.total == self.now.get(key, 0)
        state.total += 1
        self.now[key] = state.total
        if name.startswith("end"):
            made.end(key)
            del self.now[key]
        if name.endswith("fail"):
            made.undo()
            self.now = before
        elif saving:
            made.keep()

    def collect(self, made):
        self.commit(made)
        self.in_flight = dict(self.now), dict(made.collect())

    def commit(self, made):
        if self.in_flight is None:
            return
        self.committed, changes = self.in_flight
        self.log |= {key: None if data is None else int(data) for key, data in changes.items()}
        self.log = {key: total for key, total in self.log.items() if total is not None}
        self.in_flight = None
        made.commit()

    def rollback(self, made):
        made.rollback()
        self.in_flight = None
        self.now = dict(self.committed)
