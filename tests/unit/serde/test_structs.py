"""A msgspec.Struct is stored as its fields where that is exact, and comes back as it was."""

import copyreg
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from tests.properties.values import json_scalars, picture, values
from tests.samples import extract_user
from wallaroo.errors import StoredValueError
from wallaroo.serde.attributes import attributes_of
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.testing import ApplicationDriver

PICKLES = RestrictedPickle(["tests"])
VALUES = message_codec(PICKLES)


class Amount(msgspec.Struct):
    user: Any
    total: Any = 0


class Renamed(msgspec.Struct, rename="camel", tag="kind", omit_defaults=True, frozen=True):
    user_name: Any
    total: Any = 0


class Keywords(msgspec.Struct, kw_only=True):
    user: Any
    total: Any = 0


class FrozenKeywords(Keywords, frozen=True, rename="camel", omit_defaults=True):
    pass


class CheckedKeywords(msgspec.Struct, kw_only=True):
    user: Any

    def __post_init__(self):
        if self.user == "noone":
            raise ValueError(self.user)


class Row(msgspec.Struct, array_like=True):
    user: Any
    total: Any = 0


class Child(Amount):
    more: Any = None


class Checked(msgspec.Struct):
    user: Any

    def __post_init__(self):
        self.user = f"checked {self.user}"


class WithDict(msgspec.Struct, dict=True):
    user: Any


class OwnReduce(msgspec.Struct):
    user: Any

    def __reduce__(self):
        return OwnReduce, (self.user,)


class Registered(msgspec.Struct):
    user: Any


copyreg.pickle(Registered, lambda made: (Registered, (made.user,)))


def structs(items):
    return st.one_of(
        st.builds(Amount, items, items),
        st.builds(Renamed, user_name=items, total=items),
        st.builds(Row, items, items),
        st.builds(Child, items, items, items),
        st.builds(Keywords, user=items, total=items),
        st.builds(FrozenKeywords, user=items, total=items),
        st.builds(Amount, st.lists(st.builds(Keywords, user=json_scalars), max_size=2), items),
    )


any_structs = structs(json_scalars) | structs(values)


def fields(made):
    return type(made), picture(msgspec.structs.asdict(made))


@given(any_structs)
def test_a_struct_comes_back_from_a_topic(made):
    assert fields(VALUES.decode(VALUES.encode(made))) == fields(made)


@given(any_structs)
def test_a_struct_comes_back_from_a_store(made):
    codec = state_codec(lambda: made, PICKLES)
    assert fields(codec.decode(codec.encode(made))) == fields(made)


@given(st.lists(any_structs, max_size=4) | st.lists(st.builds(Amount, json_scalars)))
def test_many_structs_are_written_and_read_as_each_alone(some):
    data = VALUES.encode_all(some)
    assert data == [VALUES.encode(made) for made in some]
    for _ in range(2):
        assert list(map(fields, VALUES.decode_all(data))) == list(map(fields, some))


def test_a_struct_can_be_read_in_a_topic_and_in_a_store():
    assert VALUES.encode(Renamed(user_name="a")) == (
        b'1Jtests.unit.serde.test_structs:Renamed\n{"user_name":"a","total":0}'
    )
    assert state_codec(lambda: Amount(""), PICKLES).encode(Amount("a", 2)) == b'1J{"user":"a","total":2}'


@pytest.mark.parametrize("kind", [Amount, Row, Child])
def test_what_was_pickled_before_is_read(kind):
    stored = b"1P" + PICKLES.dumps(kind("a", 2))
    assert VALUES.decode(stored) == kind("a", 2)
    assert state_codec(lambda: kind("", 0), PICKLES).decode(stored) == kind("a", 2)


@pytest.mark.parametrize("kind", [Checked, WithDict, OwnReduce, Registered])
def test_a_struct_that_is_more_than_its_fields_is_left_to_pickle(kind):
    assert attributes_of(kind) is None


@pytest.mark.parametrize("stored", [b"{}", b'{"total":1}', b"[1]", b"1"])
def test_what_is_not_the_fields_of_a_struct_is_refused(stored):
    data = b"1Jtests.unit.serde.test_structs:Amount\n" + stored
    VALUES.decode(VALUES.encode(Amount("a")))
    with pytest.raises(StoredValueError):
        VALUES.decode(data)
    with pytest.raises(StoredValueError):
        VALUES.decode_all([VALUES.encode(Amount("a")), data])
    with pytest.raises(StoredValueError):
        state_codec(Amount, PICKLES).decode(b"1J" + stored)


def test_a_field_that_a_struct_does_not_have_any_more_is_ignored():
    stored = b'1Jtests.unit.serde.test_structs:Amount\n{"user":"a","other":2}'
    assert VALUES.decode(stored) == Amount("a")


def test_a_field_that_a_struct_requires_is_taken_from_what_the_store_begins_with():
    assert state_codec(lambda: Amount("none"), PICKLES).decode(b'1J{"total":1}') == Amount("none", 1)


def test_keyword_fields_that_are_pickled_are_checked_as_when_they_were_made():
    made = CheckedKeywords(user=["rex"])
    assert VALUES.encode(made)[:2] == b"1P"
    assert VALUES.decode(VALUES.encode(made)) == made
    forged = VALUES.encode([CheckedKeywords(user="rexes")]).replace(b"rexes", b"noone")
    with pytest.raises(StoredValueError, match="a stored CheckedKeywords cannot be made: noone"):
        VALUES.decode(forged)


def opcodes_of(module, name):
    return b"\x8c%c%b\x8c%c%b\x93" % (len(module), module, len(name), name)


REBUILD = opcodes_of(b"msgspec._utils", b"rebuild")
KEYWORDS = opcodes_of(b"tests.unit.serde.test_structs", b"Keywords")
COLOR = opcodes_of(b"tests.properties.shapes", b"Color")
COUNTER = opcodes_of(b"collections", b"Counter")
FIELDS = b"}(\x8c\x04userK\x01u"


@pytest.mark.parametrize(
    "opcodes",
    [
        REBUILD + COUNTER + FIELDS + b"\x86R",
        REBUILD + FIELDS + FIELDS + b"\x86R",
        REBUILD + REBUILD + FIELDS + b"\x86R",
        REBUILD + KEYWORDS + b"]\x86R",
        REBUILD + KEYWORDS + b"}K\x01K\x01s\x86R",
        REBUILD + KEYWORDS + b"}\x86R",
        REBUILD + KEYWORDS + FIELDS + b"\x86\x81",
        REBUILD + FIELDS + b"b",
        REBUILD + b"N" + FIELDS + b"\x86b",
        REBUILD + b"N}\x8c\x09__class__" + KEYWORDS + b"s\x86b",
        REBUILD + b"N}\x8c\x09__class__" + COLOR + b"s\x86b",
        REBUILD + b"(K\x01e",
        opcodes_of(b"msgspec._utils", b"get_class_annotations"),
        opcodes_of(b"msgspec._utils", b"rebuild.__globals__"),
    ],
)
def test_nothing_but_a_struct_of_ones_own_is_made_of_keyword_fields(opcodes):
    with pytest.raises(StoredValueError):
        PICKLES.loads(b"\x80\x05" + opcodes + b".")
    assert VALUES.decode(VALUES.encode([Keywords(user=1)])) == [Keywords(user=1)]


def test_a_struct_is_made_of_keyword_fields():
    opcodes = REBUILD + KEYWORDS + FIELDS + b"\x86R"
    assert PICKLES.loads(b"\x80\x05" + opcodes + b".") == Keywords(user=1)


class Payment(msgspec.Struct):
    user: str
    amount: float | int


class Balance(msgspec.Struct):
    total: float | int = 0


@wallaroo.state_computation(name="add up", state=Balance)
def add_up(payment, balance):
    balance.total += payment.amount
    return Payment(payment.user, balance.total)


def test_structs_cross_a_topic_are_a_state_and_become_json():
    source = wallaroo.KafkaSourceConfig("payments", decoder=wallaroo.json_decoder(Payment))
    sink = wallaroo.KafkaSinkConfig("totals", encoder=wallaroo.json_encoder)
    pipeline = wallaroo.source("payments", source).key_by(extract_user).to(add_up).to_sink(sink)
    driver = ApplicationDriver(wallaroo.build_application("bank", pipeline), module=sys.modules[__name__])
    for amount in ("1", '"2"', "1e999", "2.5"):
        driver.send("payments", f'{{"user":"rex","amount":{amount}}}', key="rex")
    driver.run()
    assert driver.read("totals") == [b'{"user":"rex","amount":1}', b'{"user":"rex","amount":3.5}']
    assert driver.state("add up", "rex") == Balance(3.5)
    letters = driver.dead_letters()
    assert [letter.value for letter in letters] == [
        b'{"user":"rex","amount":"2"}',
        b'{"user":"rex","amount":1e999}',
    ]


class Second(msgspec.Struct):
    """As long a name as another class has, and the same fields."""

    user: Any
    total: Any = 0


def test_lines_of_two_classes_are_each_read_as_their_own():
    some = [Amount("a", 1), Second("b", 2)]
    data = [VALUES.encode(made) for made in some]
    for _ in range(2):
        assert VALUES.decode_all(data) == some


def test_an_object_that_goes_on_in_the_next_line_is_refused():
    """Though there are as many objects as lines, and each line begins like one."""
    header = b"1Jtests.unit.serde.test_structs:Amount\n"
    VALUES.decode(VALUES.encode(Amount("a")))
    forged = [b'{"user":', b'{"a":1},"total":2}', b'{"user":3}{"user":4}']
    with pytest.raises(StoredValueError):
        VALUES.decode_all([header + line for line in forged])
