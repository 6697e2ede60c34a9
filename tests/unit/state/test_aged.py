"""States with their times, as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.samples import Plain
from wallaroo.errors import StoredValueError
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.state.aged import NONE_YET, UNKNOWN_AGE, Aged, AgedCodec, AgelessCodec, latest_in

STATES = state_codec(Plain, RestrictedPickle([Plain.__module__]))
AGED, AGELESS = AgedCodec(STATES), AgelessCodec(STATES)


def state(total):
    made = Plain()
    made.total = total
    return made


@given(st.integers(NONE_YET + 1, UNKNOWN_AGE), st.integers())
def test_a_state_and_its_time_come_back(latest, total):
    data = AGED.encode(Aged(latest, state(total)))
    found = AGED.decode(data)
    assert (found.latest, found.state.total, latest_in(data)) == (latest, total, latest)
    assert AGED.encode_all([found]) == [data]


def test_a_time_takes_ten_bytes():
    assert len(AGED.encode(Aged(5, state(1)))) == len(STATES.encode(state(1))) + 10


def test_a_state_that_was_stored_without_a_time_has_an_unknown_age():
    found = AGED.decode(STATES.encode(state(7)))
    assert (found.latest, found.state.total) == (UNKNOWN_AGE, 7)


def test_without_a_ttl_the_state_is_read_and_stored_without_its_time():
    data = AGED.encode(Aged(5, state(7)))
    assert AGELESS.encode(AGELESS.decode(data)) == STATES.encode(state(7))
    assert AGELESS.encode_all([AGELESS.decode(data)]) == [STATES.encode(state(7))]


@pytest.mark.parametrize("codec", [AGED, AGELESS])
@given(st.binary(max_size=40))
def test_whatever_the_bytes_nothing_but_a_stored_value_error_comes_of_them(codec, data):
    for stored in (data, b"1L" + data, b"1L" + b"\x00" * 8 + data):
        try:
            codec.decode(stored)
        except StoredValueError:
            continue
