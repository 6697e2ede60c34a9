"""A store whose objects expire: what is empty becomes a tombstone, and leaves memory."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.state.conftest import IMPLEMENTATIONS


class Bag:
    def __init__(self, items=()):
        self.items = list(items)


class Text:
    """Readable bytes."""

    def encode(self, bag):
        return ",".join(bag.items).encode()

    def encode_all(self, values):
        return [self.encode(each) for each in values]

    def decode(self, data):
        return Bag(filter(None, data.decode().split(",")))


def bags(implementation, **committed):
    made = implementation("bags", Bag, Text(), lambda bag: not bag.items)
    for key, text in committed.items():
        made.restore(key.encode(), text.encode())
    return made


@pytest.fixture
def store(implementation):
    """Makes a store that holds these bags, where an empty one has expired."""
    return partial(bags, implementation)


def commit(made):
    changes = made.collect()
    made.commit()
    return changes


def assert_holds_nothing(made):
    assert len(made) == 0
    assert made.live(b"a") is made.find(b"a") is None


def test_what_is_empty_becomes_a_tombstone_and_leaves_memory(store):
    made = store(a="x")
    made.touch(b"a").items.clear()
    assert commit(made) == {b"a": None}
    assert_holds_nothing(made)


def test_what_has_come_and_gone_between_two_commits_leaves_no_trace(store):
    made = store()
    made.touch(b"a").items.append("x")
    made.touch(b"a").items.clear()
    assert commit(made) == {}
    assert_holds_nothing(made)


def test_a_key_that_is_dying_is_new_when_it_is_touched(store):
    made = store(a="x")
    made.touch(b"a").items.clear()
    assert made.collect() == {b"a": None}
    assert made.touch(b"a").items == []
    made.touch(b"a").items.append("y")
    made.commit()
    assert commit(made) == {b"a": b"y"}
    assert made.touch(b"a").items == ["y"]


def test_a_rollback_brings_a_dying_key_back(store):
    made = store(a="x")
    made.touch(b"a").items.clear()
    made.collect()
    made.rollback()
    assert made.touch(b"a").items == ["x"]


def test_undo_puts_back_that_a_key_is_dying(store):
    made = store(a="x")
    made.touch(b"a").items.clear()
    made.collect()
    made.touch_saving(b"a").items.append("y")
    made.undo()
    assert made.touch(b"a").items == []
    made.commit()
    assert commit(made) == {}
    assert_holds_nothing(made)


def test_undo_puts_back_that_a_key_is_empty_and_not_committed(store):
    made = store(a="x")
    made.touch(b"a").items.clear()
    made.touch_saving(b"a").items.append("y")
    made.undo()
    assert commit(made) == {b"a": None}


def test_the_current_bytes_are_those_of_what_is_there_now(store):
    made = store(a="x")
    assert made.current(b"a") == b"x"
    made.touch(b"a").items.append("y")
    assert made.current(b"a") == b"x,y"
    assert made.current(b"b") is None


class Twins:
    """A store, and the dictionaries that it is compared with."""

    def __init__(self, implementation):
        self.store = bags(implementation)
        self.now, self.committed, self.flying = {}, {}, None

    def add(self, key):
        self.store.touch(key).items.append("x")
        self.now[key] = [*self.now.get(key, []), "x"]

    def clear(self, key):
        self.store.touch(key).items.clear()
        self.now.pop(key, None)

    def keep(self, key):
        self.store.touch_saving(key).items.append("y")
        self.store.keep()
        self.now[key] = [*self.now.get(key, []), "y"]

    def fail(self, key):
        self.store.touch_saving(key).items.append("y")
        self.store.undo()

    def land(self, _key=None):
        if self.flying is not None:
            self.store.commit()
            self.committed, self.flying = self.flying, None

    def collect(self, _key=None):
        self.land()
        self.store.collect()
        self.flying = dict(self.now)

    def rollback(self, _key):
        self.store.rollback()
        self.flying, self.now = None, dict(self.committed)


events = st.sampled_from(["add", "clear", "keep", "fail", "land", "collect", "rollback"])


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@given(script=st.lists(st.tuples(events, st.sampled_from([b"a", b"b"])), max_size=40))
def test_it_holds_what_a_dictionary_would(implementation, script):
    twins = Twins(implementation)
    for event, key in script:
        getattr(twins, event)(key)
    twins.collect()
    twins.land()
    made = twins.store
    assert {key: Text().decode(data).items for key, data in made.items()} == twins.now
    assert {key for key in (b"a", b"b") if (bag := made.live(key)) and not bag.items} == set()
