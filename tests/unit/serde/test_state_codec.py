"""The bytes of states: what an operator reads in a changelog, and what is in them no longer."""

import pickle
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel, Field, PrivateAttr, RootModel

from tests.properties import shapes
from wallaroo.errors import StoredValueError
from wallaroo.serde.codecs import UserCodec
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])


class Total:
    total = 0
    name = ""


class Slim:
    __slots__ = ("total",)

    def __init__(self, total=0):
        self.total = total


class Account(BaseModel):
    balance: float = 0
    owner: str | None = Field(default=None, alias="Owner")


class Evolved(BaseModel):
    balance: float = 0
    currency: str = "EUR"


class Caching:
    """Keeps what can be made again out of its state."""

    def __init__(self):
        self.amounts = [1, 2]
        self.made = lambda: sum(self.amounts)

    def __getstate__(self):
        return self.amounts

    def __setstate__(self, amounts):
        self.__init__()
        self.amounts = amounts


class Guarded:
    def __init__(self):
        self.restored = False

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.restored = True


def total(**attributes):
    made = Total()
    made.__dict__.update(attributes)
    return made


def encoded(value, kind=None):
    return state_codec(kind or type(value), PICKLES).encode(value)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (total(), b"1J{}"),
        (total(total=2286), b'1J{"total":2286}'),
        (total(total=-0.5, name="größe"), '1J{"total":-0.5,"name":"größe"}'.encode()),
        (total(total=True), b'1J{"total":true}'),
        (total(total=None), b'1J{"total":null}'),
        (Slim(2286), b'1J{"total":2286}'),
        (Account(balance=1.5), b'1M{"balance":1.5,"owner":null} \t'),
        (Account(balance=1.5, Owner="rex"), b'1M{"balance":1.5,"owner":"rex"}'),
    ],
)
def test_plain_states_can_be_read_in_a_changelog(value, stored):
    assert encoded(value) == stored


@pytest.mark.parametrize(
    ("value", "format"),
    [
        (total(total=float("inf")), b"1D"),
        (total(total=-float("inf")), b"1D"),
        (total(total=float("nan")), b"1D"),
        (total(total=10**5000), b"1D"),
        (total(total=(1, 2)), b"1D"),
        (Slim((1, 2)), b"1D"),
        (total(name="\ud800"), b"1D"),
        (Account(balance=float("nan")), b"1P"),
        (Account.model_construct(balance="no number"), b"1P"),
        (Account.model_construct(balance=7), b"1P"),
        ([1], b"1P"),
        (Counter("aab"), b"1P"),
    ],
)
def test_what_json_would_bend_is_pickled(value, format):  # noqa: A002 - the word for it
    assert encoded(value)[:2] == format


def test_a_state_of_another_class_than_the_declared_one_is_pickled_whole():
    assert encoded(Account(), Total)[:2] == b"1P"


def test_a_state_that_refers_to_itself_comes_back_as_one():
    codec = state_codec(Total, PICKLES)
    state = total(names=["a"])
    state.history = [state]
    again = codec.decode(codec.encode(state))
    assert again.history[0] is again


def test_a_default_of_the_class_is_not_stored_but_comes_back():
    codec = state_codec(Total, PICKLES)
    assert codec.decode(codec.encode(total(name="x"))).total == 0


def test_the_own_state_of_a_class_is_what_is_stored():
    codec = state_codec(Caching, PICKLES)
    state = Caching()
    state.amounts.append(4)
    assert codec.decode(codec.encode(state)).made() == 7


def test_the_own_way_back_of_a_class_is_gone():
    codec = state_codec(Guarded, PICKLES)
    assert codec.decode(codec.encode(Guarded())).restored


def test_a_function_may_be_what_makes_the_first_state():
    codec = state_codec(lambda: total(total=1), PICKLES)
    assert codec.encode(total(total=2)) == b'1J{"total":2}'
    assert codec.decode(b'1J{"total":2}').total == 2


def test_a_class_may_gain_slots_and_lose_them():
    """What was stored of its __dict__, and what an older version has pickled because of the slots."""
    assert state_codec(Slim, PICKLES).decode(encoded(total(total=5))).total == 5
    assert state_codec(Slim, PICKLES).decode(b"1P" + pickle.dumps(Slim(5), 5)).total == 5
    assert state_codec(Total, PICKLES).decode(encoded(Slim(5))).total == 5


def test_what_was_stored_of_a_plain_class_is_read_where_it_has_its_own_pickling_since():
    assert state_codec(Caching, PICKLES).decode(b'1J{"amounts":7}').amounts == 7


def test_a_slot_that_a_class_has_got_since_is_empty():
    revived = state_codec(shapes.Slots, PICKLES).decode(b'1J{"a":1}')
    assert revived.a == 1
    assert not hasattr(revived, "b")


def test_a_slot_that_a_class_has_no_more_is_ignored():
    assert state_codec(Slim, PICKLES).decode(b'1J{"total":5,"name":"x"}').total == 5


def test_a_model_may_gain_a_field_with_a_default():
    assert state_codec(Evolved, PICKLES).decode(b'1M{"balance":1.5,"owner":null}') == Evolved(balance=1.5)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "unknown format b''"),
        (b"2J{}", "unknown format b'2J'"),
        (b"1M[]", "JSON object"),
        (b"1J[]", "JSON object"),
        (b"1J{", "cannot be read"),
        (b"1P", "cannot be read"),
        (b"1D\x80\x05K\x01.", "no attributes"),
    ],
)
def test_other_bytes_are_refused(data, told):
    with pytest.raises(StoredValueError, match=told):
        state_codec(Total, PICKLES).decode(data)


def test_an_unknown_format_may_be_from_a_newer_version():
    told = "format b'2J': written by a newer version of Wallaroo, or not by Wallaroo: b'2J{}'"
    with pytest.raises(StoredValueError, match=told):
        state_codec(Total, PICKLES).decode(b"2J{}")


@pytest.mark.parametrize(
    ("data", "value"),
    [(b'1O{"a":1}', {"a": 1}), (b"1Sa", "a"), (b"1Ba", b"a")],
    ids=["dict", "text", "bytes"],
)
def test_a_state_in_the_format_of_a_message_without_a_class_is_read(data, value):
    assert state_codec(type(value), PICKLES).decode(data) == value


def test_many_states_are_read_at_once():
    codec = state_codec(Slim, PICKLES)
    data = codec.encode_all([Slim(1), Slim((2,)), Slim(3)])
    assert [state.total for state in codec.decode_all(data)] == [1, (2,), 3]
    assert [state.total for state in codec.decode_all([data[0], data[2]])] == [1, 3]


def test_a_model_that_does_not_validate_is_refused():
    with pytest.raises(StoredValueError, match="a stored Account cannot be read: 1 validation error"):
        state_codec(Account, PICKLES).decode(b'1M{"balance":"much"}')


def test_the_applications_own_serialize_is_marked_as_such():
    codec = UserCodec(str.encode, bytes.decode)
    assert codec.encode("x") == b"1Ux"
    assert codec.decode(b"1Ux") == "x"


def test_a_failing_deserialize_is_a_stored_value_that_cannot_be_read():
    with pytest.raises(StoredValueError, match="deserialize failed on"):
        UserCodec(str.encode, bytes.decode).decode(b"1U\xff")


class Partly(BaseModel, extra="allow"):
    a: int = 0
    items: list[int] = []
    _secret: int = PrivateAttr(default=0)


class Scalars(BaseModel):
    a: int = 0
    b: str = ""


@pytest.mark.parametrize("fields", [{}, {"a": 0}, {"b": "x"}, {"a": 1, "b": "x"}])
def test_a_model_knows_which_of_its_fields_were_set(fields):
    codec = state_codec(Scalars, PICKLES)
    again = codec.decode(codec.encode(Scalars(**fields)))
    assert again.model_fields_set == fields.keys()
    assert again == Scalars(**fields)
    assert codec.decode_all(codec.encode_all([again, again]))[1].model_fields_set == fields.keys()


def test_a_model_keeps_private_attributes_and_extra_fields_too():
    state = Partly(other=[1])
    state._secret = 7
    state.items.append(3)
    codec = state_codec(Partly, PICKLES)
    again = codec.decode(codec.encode(state))
    assert (again._secret, again.other, again.items) == (7, [1], [3])
    assert again.model_fields_set == {"other"}


def test_what_changes_in_a_field_that_was_never_set_is_kept():
    state = Evolved()
    codec = state_codec(Evolved, PICKLES)
    state.__dict__["currency"] = "USD"
    again = codec.decode(codec.encode(state))
    assert (again.currency, again.model_fields_set) == ("USD", set())


@pytest.mark.parametrize("marks", [b" ", b"\t", b"   "])
def test_marks_that_do_not_fit_the_fields_are_refused(marks):
    with pytest.raises(StoredValueError, match="marks"):
        state_codec(Scalars, PICKLES).decode(b'1M{"a":1,"b":""}' + marks + b"\t\t")


class Node(BaseModel):
    name: str = ""
    scalars: Scalars = Scalars()
    by_name: dict[str, Scalars] = {}
    nodes: list["Node"] = []
    several: set[int] = set()


@pytest.mark.parametrize(
    "state",
    [
        Node(),
        Node(name="x", scalars=Scalars(b="y")),
        Node(by_name={"p": Scalars(), "q": Scalars(a=1)}, nodes=[Node(nodes=[Node(name="z")]), Node()]),
        Node(nodes=[Node(scalars=Scalars(a=5))], several={1, 2}),
    ],
)
def test_models_within_a_model_know_it_too(state):
    codec = state_codec(Node, PICKLES)
    data = codec.encode(state)
    again = codec.decode(data)
    assert data.startswith(b"1M")
    assert again == state
    assert again.model_dump(exclude_unset=True) == state.model_dump(exclude_unset=True)


class Listed(RootModel[list[Scalars]]):
    root: list[Scalars] = []


class Opaque(BaseModel, arbitrary_types_allowed=True):
    held: Any = None
    scalars: Scalars = Scalars()


@pytest.mark.parametrize(
    "state", [Listed([Scalars(b="x")]), Listed(), Opaque(scalars=Scalars(a=1)), Opaque(held={1: 2})]
)
def test_models_of_other_shapes_know_it_too(state):
    codec = state_codec(type(state), PICKLES)
    again = codec.decode(codec.encode(state))
    assert again == state
    assert again.model_fields_set == state.model_fields_set
    assert again.model_dump(exclude_unset=True) == state.model_dump(exclude_unset=True)


def test_marks_do_not_keep_a_model_from_being_read_with_other_fields():
    stored = b'1M{"gone":{"a":1},"a":1,"b":"x"}  \t '
    again = state_codec(Scalars, PICKLES).decode(stored)
    assert (again, again.model_fields_set) == (Scalars(a=1, b="x"), {"a"})


def test_a_dict_in_a_store_of_another_class_stays_a_dict():
    codec = state_codec(Evolved, PICKLES)
    named = {"a": shapes.Pair(1, 2)}
    assert codec.decode(codec.encode({"a": 1})) == {"a": 1}
    assert codec.decode(codec.encode(named)) == named
