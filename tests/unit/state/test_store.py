"""The contract of a store: what commits, rollbacks, failing records and a restore do to its keys."""

import pytest

from wallaroo.errors import StateError, StoredValueError
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle


class Total:
    total = 0


class Counting:
    """A codec that counts what it is asked for."""

    def __init__(self):
        self.codec = state_codec(Total, RestrictedPickle(["tests"]))
        self.encoded = self.decoded = 0

    def encode(self, value):
        self.encoded += 1
        return self.codec.encode(value)

    def encode_all(self, values):
        return [self.encode(each) for each in values]

    def decode(self, data):
        self.decoded += 1
        return self.codec.decode(data)


@pytest.fixture
def store(implementation):
    """Makes a store that holds these totals."""

    def make(**committed):
        made = implementation("total", Total, Counting())
        for key, total in committed.items():
            made.restore(key.encode(), b'1J{"total":%d}' % total)
        return made

    return make


def add(made, key, amount):
    made.touch(key).total += amount


def add_saving(made, key, amount):
    made.touch_saving(key).total += amount


def spoil_saving(made, key):
    made.touch_saving(key).kept = lambda: None


def totals(made):
    return {key: made.peek(key).total for key, _ in made.items()}


def commit(made):
    changes = made.collect()
    made.commit()
    return changes


def test_a_state_is_made_when_it_is_first_touched(store):
    made = store()
    assert made.touch(b"rex").total == 0
    assert len(made) == 0


def test_a_stored_state_is_decoded_once(store):
    made = store(rex=5)
    assert made.touch(b"rex") is made.touch(b"rex")
    assert made._codec.decoded == 1


def test_a_state_stays_alive_over_commits(store):
    made = store(rex=5)
    first = made.touch(b"rex")
    commit(made)
    assert made.touch(b"rex") is first


def test_a_key_is_encoded_once_per_commit_however_often_it_changed(store):
    made = store()
    add(made, b"rex", 40)
    add(made, b"rex", 4)
    add(made, b"rex", 1)
    assert made.collect() == {b"rex": b'1J{"total":45}'}
    assert made._codec.encoded == 1


def test_what_is_collected_counts_as_committed_only_when_the_commit_has_succeeded(store):
    made = store()
    add(made, b"rex", 5)
    made.collect()
    assert totals(made) == {}
    made.commit()
    assert totals(made) == {b"rex": 5}


def test_a_state_that_was_only_looked_at_is_not_written_again(store):
    made = store(rex=5)
    made.touch(b"rex")
    assert commit(made) == {}


def test_a_state_that_comes_back_to_what_it_was_is_not_written_again(store):
    made = store(rex=5)
    add(made, b"rex", 7)
    add(made, b"rex", -7)
    assert commit(made) == {}


def test_a_new_state_is_written_even_if_nothing_changed_it(store):
    made = store()
    made.touch(b"rex")
    assert made.collect() == {b"rex": b"1J{}"}


def test_a_rollback_forgets_what_was_computed(store):
    made = store(rex=5)
    add(made, b"rex", 7)
    add(made, b"fido", 7)
    made.rollback()
    assert (made.touch(b"rex").total, made.touch(b"fido").total) == (5, 0)


def test_a_rollback_forgets_what_is_in_flight_and_what_came_after_it(store):
    made = store(rex=5)
    add(made, b"rex", 1)
    made.collect()
    add(made, b"fido", 1)
    made.rollback()
    assert made.collect() == {}
    assert (made.touch(b"rex").total, made.touch(b"fido").total) == (5, 0)


def test_a_rollback_needs_no_decoding_of_other_keys(store):
    made = store(rex=5, fido=6)
    made.touch(b"fido")
    commit(made)
    add(made, b"rex", 1)
    made.rollback()
    made.touch(b"fido")
    assert made._codec.decoded == 2


def test_what_is_computed_while_a_commit_is_in_flight_belongs_to_the_next(store):
    made = store()
    add(made, b"rex", 1)
    assert made.collect() == {b"rex": b'1J{"total":1}'}
    add(made, b"rex", 1)
    made.commit()
    assert totals(made) == {b"rex": 1}
    assert commit(made) == {b"rex": b'1J{"total":2}'}


def test_an_undo_puts_a_committed_state_back(store):
    made = store(rex=5)
    add_saving(made, b"rex", 7)
    made.undo()
    assert made.touch(b"rex").total == 5


def test_an_undo_puts_back_what_records_before_it_did(store):
    made = store(rex=5)
    add_saving(made, b"rex", 1)
    made.keep()
    add_saving(made, b"rex", 7)
    add_saving(made, b"rex", 7)
    made.undo()
    assert commit(made) == {b"rex": b'1J{"total":6}'}


def test_an_undo_puts_back_what_is_in_flight(store):
    made = store(rex=5)
    add_saving(made, b"rex", 1)
    made.keep()
    made.collect()
    add_saving(made, b"rex", 7)
    made.undo()
    assert made.touch(b"rex").total == 6


def test_an_undo_of_a_new_key_leaves_none(store):
    made = store()
    add_saving(made, b"rex", 7)
    made.undo()
    assert made.collect() == {}


def test_an_undo_covers_every_key_that_the_record_touched(store):
    made = store(rex=5, fido=6)
    add_saving(made, b"rex", 1)
    add_saving(made, b"fido", 1)
    made.undo()
    assert (made.touch(b"rex").total, made.touch(b"fido").total) == (5, 6)


def test_a_state_that_cannot_be_stored_is_named_when_it_is_kept(store):
    made = store()
    spoil_saving(made, b"rex")
    with pytest.raises(StateError, match="the state of 'total' for key b'rex' cannot be stored") as failure:
        made.keep()
    assert failure.value.stage == "total"
    made.undo()
    assert made.collect() == {}


def test_a_state_that_cannot_be_stored_is_named_when_it_is_collected_and_nothing_changes(store):
    made = store(fido=1)
    add(made, b"fido", 1)
    made.touch(b"rex").kept = lambda: None
    with pytest.raises(StateError, match="for key b'rex' cannot be stored"):
        made.collect()
    assert totals(made) == {b"fido": 1}
    made.rollback()
    assert made.touch(b"fido").total == 1


def test_a_look_at_a_state_is_a_copy_of_what_is_committed(store):
    made = store(rex=5)
    made.peek(b"rex").total = 100
    add(made, b"rex", 1)
    assert made.peek(b"rex").total == 5


def test_a_look_at_a_state_that_is_not_there_is_a_key_error(store):
    with pytest.raises(KeyError):
        store().peek(b"rex")


def test_stored_bytes_that_cannot_be_read_are_told_apart(store):
    made = store()
    made.restore(b"rex", b"nonsense")
    with pytest.raises(StoredValueError, match="unknown format"):
        made.touch(b"rex")


def test_what_is_restored_is_committed_and_a_tombstone_removes_it(store):
    made = store(rex=5, fido=6)
    made.restore(b"rex", None)
    made.restore(b"nobody", None)
    assert dict(made.items()) == {b"fido": b'1J{"total":6}'}
    assert (len(made), made.get(b"rex"), made.get(b"fido")) == (1, None, b'1J{"total":6}')


def test_a_restore_decodes_nothing(store):
    made = store(rex=5)
    list(made.items())
    assert made._codec.decoded == 0


def test_find_knows_the_dirty_keys_alone(store):
    made = store(rex=5)
    find = made.find
    assert find(b"rex") is None
    touched = made.touch(b"rex")
    assert find(b"rex") is touched
    commit(made)
    assert find(b"rex") is None
    made.touch(b"rex")
    made.rollback()
    assert find(b"rex") is None


def test_live_knows_every_key_that_has_an_object(store):
    made = store(rex=5)
    assert made.live(b"rex") is None
    touched = made.touch(b"rex")
    commit(made)
    assert made.live(b"rex") is touched


def test_an_object_that_is_put_takes_the_place_of_the_old_one(store):
    made, new = store(rex=5), Total()
    new.total = 7
    made.put(b"rex", new)
    assert made.touch(b"rex") is new
    assert commit(made) == {b"rex": b'1J{"total":7}'}


def test_the_current_bytes_are_those_of_the_live_object_or_else_the_committed(store):
    made = store(rex=5)
    assert (made.current(b"rex"), made.current(b"fido")) == (b'1J{"total":5}', None)
    add(made, b"rex", 1)
    assert (made.current(b"rex"), made.get(b"rex")) == (b'1J{"total":6}', b'1J{"total":5}')


def test_touched_are_the_keys_of_one_record(store):
    made = store(rex=5)
    add_saving(made, b"rex", 1)
    add_saving(made, b"fido", 1)
    assert set(made.touched) == {b"rex", b"fido"}
    made.keep()
    assert set(made.touched) == set()
    add_saving(made, b"rex", 1)
    made.undo()
    assert set(made.touched) == set()


def test_the_size_of_a_store_is_that_of_its_committed_keys_and_values(store):
    made = store(rex=10, bello=5)
    add(made, b"rex", 1_000_000)
    assert made.size_bytes() == len(b'rex1J{"total":10}bello1J{"total":5}')
    made.collect()
    made.commit()
    assert made.size_bytes() == len(b'rex1J{"total":1000010}bello1J{"total":5}')


def test_an_empty_store_has_no_size(store):
    assert store().size_bytes() == 0


def test_the_size_of_a_large_store_is_reckoned_from_its_oldest_and_newest_keys(store):
    made = store()
    for number in range(10_000):
        made.restore(b"%05d" % number, b"x" * (100 if number < 5_000 else 300))
    assert made.size_bytes() == 10_000 * 205


def test_a_store_of_keys_that_are_alike_is_reckoned_to_a_twentieth(store):
    made = store(**{f"user-{number}": number for number in range(20_000)})
    exact = sum(len(key) + len(value) for key, value in made.items())
    assert made.size_bytes() == pytest.approx(exact, rel=0.05)
