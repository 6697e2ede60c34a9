"""Committed bytes below, live objects above: what commits, rollbacks and failing records do to them."""

import pytest

from wallaroo.errors import StateError, StoredValueError
from wallaroo.serde.object_codec import StateCodec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.state.memory import KeyedStore


class Total:
    total = 0


class Counting:
    """A codec that counts what it is asked for."""

    def __init__(self):
        self.codec = StateCodec(Total, RestrictedPickle(["tests"]))
        self.encoded = self.decoded = 0

    def encode(self, value):
        self.encoded += 1
        return self.codec.encode(value)

    def encode_all(self, values):
        return [self.encode(each) for each in values]

    def decode(self, data):
        self.decoded += 1
        return self.codec.decode(data)


def store(**committed):
    """A store that holds these totals."""
    made = KeyedStore("total", Total, Counting())
    made.committed.update({key.encode(): b'1J{"total":%d}' % total for key, total in committed.items()})
    return made


def add(made, key, amount):
    made.touch(key).total += amount


def add_saving(made, key, amount):
    made.touch_saving(key).total += amount


def spoil_saving(made, key):
    made.touch_saving(key).kept = lambda: None


def totals(made):
    return {key: made.peek(key).total for key in made.committed}


def commit(made):
    changes = made.collect()
    made.commit_succeeded()
    return changes


def test_a_state_is_made_when_it_is_first_touched():
    made = store()
    assert made.touch(b"rex").total == 0
    assert made.committed == {}


def test_a_stored_state_is_decoded_once():
    made = store(rex=5)
    assert made.touch(b"rex") is made.touch(b"rex")
    assert made._codec.decoded == 1


def test_a_state_stays_alive_over_commits():
    made = store(rex=5)
    first = made.touch(b"rex")
    commit(made)
    assert made.touch(b"rex") is first


def test_a_key_is_encoded_once_per_commit_however_often_it_changed():
    made = store()
    add(made, b"rex", 40)
    add(made, b"rex", 4)
    add(made, b"rex", 1)
    assert made.collect() == {b"rex": b'1J{"total":45}'}
    assert made._codec.encoded == 1


def test_what_is_collected_counts_as_committed_only_when_the_commit_has_succeeded():
    made = store()
    add(made, b"rex", 5)
    made.collect()
    assert totals(made) == {}
    made.commit_succeeded()
    assert totals(made) == {b"rex": 5}


def test_a_state_that_was_only_looked_at_is_not_written_again():
    made = store(rex=5)
    made.touch(b"rex")
    assert commit(made) == {}


def test_a_state_that_comes_back_to_what_it_was_is_not_written_again():
    made = store(rex=5)
    add(made, b"rex", 7)
    add(made, b"rex", -7)
    assert commit(made) == {}


def test_a_new_state_is_written_even_if_nothing_changed_it():
    made = store()
    made.touch(b"rex")
    assert made.collect() == {b"rex": b"1J{}"}


def test_a_rollback_forgets_what_was_computed():
    made = store(rex=5)
    add(made, b"rex", 7)
    add(made, b"fido", 7)
    made.rollback()
    assert (made.touch(b"rex").total, made.touch(b"fido").total) == (5, 0)


def test_a_rollback_forgets_what_is_in_flight_and_what_came_after_it():
    made = store(rex=5)
    add(made, b"rex", 1)
    made.collect()
    add(made, b"fido", 1)
    made.rollback()
    assert made.collect() == {}
    assert (made.touch(b"rex").total, made.touch(b"fido").total) == (5, 0)


def test_a_rollback_needs_no_decoding_of_other_keys():
    made = store(rex=5, fido=6)
    made.touch(b"fido")
    commit(made)
    add(made, b"rex", 1)
    made.rollback()
    made.touch(b"fido")
    assert made._codec.decoded == 2


def test_what_is_computed_while_a_commit_is_in_flight_belongs_to_the_next():
    made = store()
    add(made, b"rex", 1)
    assert made.collect() == {b"rex": b'1J{"total":1}'}
    add(made, b"rex", 1)
    made.commit_succeeded()
    assert totals(made) == {b"rex": 1}
    assert commit(made) == {b"rex": b'1J{"total":2}'}


def test_an_undo_puts_a_committed_state_back():
    made = store(rex=5)
    add_saving(made, b"rex", 7)
    made.undo()
    assert made.touch(b"rex").total == 5


def test_an_undo_puts_back_what_records_before_it_did():
    made = store(rex=5)
    add_saving(made, b"rex", 1)
    made.keep()
    add_saving(made, b"rex", 7)
    add_saving(made, b"rex", 7)
    made.undo()
    assert commit(made) == {b"rex": b'1J{"total":6}'}


def test_an_undo_puts_back_what_is_in_flight():
    made = store(rex=5)
    add_saving(made, b"rex", 1)
    made.keep()
    made.collect()
    add_saving(made, b"rex", 7)
    made.undo()
    assert made.touch(b"rex").total == 6


def test_an_undo_of_a_new_key_leaves_none():
    made = store()
    add_saving(made, b"rex", 7)
    made.undo()
    assert made.collect() == {}


def test_an_undo_covers_every_key_that_the_record_touched():
    made = store(rex=5, fido=6)
    add_saving(made, b"rex", 1)
    add_saving(made, b"fido", 1)
    made.undo()
    assert (made.touch(b"rex").total, made.touch(b"fido").total) == (5, 6)


def test_a_state_that_cannot_be_stored_is_named_when_it_is_kept():
    made = store()
    spoil_saving(made, b"rex")
    with pytest.raises(StateError, match="the state of 'total' for key b'rex' cannot be stored") as failure:
        made.keep()
    assert failure.value.stage == "total"
    made.undo()
    assert made.collect() == {}


def test_a_state_that_cannot_be_stored_is_named_when_it_is_collected_and_nothing_changes():
    made = store(fido=1)
    add(made, b"fido", 1)
    made.touch(b"rex").kept = lambda: None
    with pytest.raises(StateError, match="for key b'rex' cannot be stored"):
        made.collect()
    assert totals(made) == {b"fido": 1}
    made.rollback()
    assert made.touch(b"fido").total == 1


def test_a_look_at_a_state_is_a_copy_of_what_is_committed():
    made = store(rex=5)
    made.peek(b"rex").total = 100
    add(made, b"rex", 1)
    assert made.peek(b"rex").total == 5


def test_a_look_at_a_state_that_is_not_there_is_a_key_error():
    with pytest.raises(KeyError):
        store().peek(b"rex")


def test_stored_bytes_that_cannot_be_read_are_told_apart():
    made = store()
    made.committed[b"rex"] = b"nonsense"
    with pytest.raises(StoredValueError, match="unknown format"):
        made.touch(b"rex")
