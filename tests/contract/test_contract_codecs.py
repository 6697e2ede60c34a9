"""Contract 1.7, and what we add: ready-made ways between messages and bytes."""

import dataclasses
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo


class Transaction(pydantic.BaseModel):
    user: str
    amount: int | float


@pydantic.dataclasses.dataclass
class Point:
    x: int


class Reading(msgspec.Struct):
    sensor: str
    celsius: float | int


class Plain:
    pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_model_is_decoded_from_json():
    decoder = wallaroo.json_decoder(Transaction)
    assert decoder.decode(b'{"user": "Fido", "amount": 12.5}') == Transaction(user="Fido", amount=12.5)


def test_an_integer_stays_an_integer():
    assert type(wallaroo.json_decoder(Transaction).decode(b'{"user": "", "amount": 3}').amount) is int


def test_decoding_is_the_models_own_validator():
    validator = Transaction.__pydantic_validator__
    assert wallaroo.json_decoder(Transaction).decode.__self__ is validator


def test_a_pydantic_dataclass_is_decoded_as_well():
    assert wallaroo.json_decoder(Point).decode(b'{"x": 1}') == Point(1)


def test_a_struct_is_decoded_by_msgspec():
    decoder = wallaroo.json_decoder(Reading)
    assert decoder.decode(b'{"sensor":"a","celsius":3,"id":7}') == Reading("a", 3)
    assert type(decoder.decode(b'{"sensor":"a","celsius":3}').celsius) is int
    assert decoder.name() == "json_decoder(Reading)"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"{",
        b'{"sensor":"\xff","celsius":1}',
        b'{"sensor":1,"celsius":1}',
        b'{"sensor":"a","celsius":"1"}',
        b'{"sensor":"a","celsius":true}',
        b'{"sensor":"a","celsius":NaN}',
        b'{"sensor":"a","celsius":-Infinity}',
        b'{"sensor":"a","celsius":1e999}',
    ],
)
def test_what_is_no_struct_does_not_decode(payload):
    with pytest.raises(msgspec.DecodeError):
        wallaroo.json_decoder(Reading).decode(payload)


@pytest.mark.parametrize(
    "payload", [None, b"", b"null", b"{}", b"[]", b"{", b"\xff", b'{"user": 1, "amount": 1}']
)
def test_what_is_no_model_does_not_decode(payload):
    with pytest.raises(pydantic.ValidationError):
        wallaroo.json_decoder(Transaction).decode(payload)


def test_a_json_decoder_is_a_decoder_with_the_usual_framing():
    decoder = wallaroo.json_decoder(Transaction)
    assert isinstance(decoder, wallaroo.Decoder)
    assert (decoder.name(), decoder.header_length()) == ("json_decoder(Transaction)", 4)


def test_one_model_has_one_decoder():
    assert wallaroo.json_decoder(Transaction) is wallaroo.json_decoder(Transaction)


@pytest.mark.parametrize("model", [None, "Transaction", [Transaction], Transaction(user="", amount=0)])
def test_a_json_decoder_needs_a_class(model):
    with pytest.raises(wallaroo.WallarooParameterError, match="needs a pydantic model class"):
        wallaroo.json_decoder(model)


def test_a_class_that_pydantic_does_not_know_is_refused():
    with pytest.raises(
        wallaroo.WallarooParameterError, match=r"json_decoder\(Plain\) needs a complete pydantic"
    ):
        wallaroo.json_decoder(Plain)


def test_an_incomplete_model_is_refused():
    class Incomplete(pydantic.BaseModel):
        later: "Later"  # noqa: F821

    with pytest.raises(wallaroo.WallarooParameterError, match="needs a complete pydantic model class"):
        wallaroo.json_decoder(Incomplete)


def test_an_incomplete_struct_is_refused():
    class Incomplete(msgspec.Struct):
        later: "Later"  # noqa: F821

    with pytest.raises(wallaroo.WallarooParameterError, match=r"needs a complete msgspec\.Struct: .*Later"):
        wallaroo.json_decoder(Incomplete)


def test_a_struct_that_msgspec_cannot_read_is_refused():
    class Odd(msgspec.Struct):
        either: Reading | Transaction | dict

    with pytest.raises(
        wallaroo.WallarooParameterError, match=r"json_decoder\(Odd\) needs a complete msgspec"
    ):
        wallaroo.json_decoder(Odd)


def test_a_struct_becomes_json_with_models_in_it_or_in_models_company():
    value = [Reading("é", 1), Transaction(user="a", amount=1)]
    assert (
        wallaroo.json_encoder.encode(value) == '[{"sensor":"é","celsius":1},{"user":"a","amount":1}]'.encode()
    )
    assert wallaroo.json_encoder.encode(Reading("a", 2.5)) == b'{"sensor":"a","celsius":2.5}'


def test_a_model_becomes_json():
    assert wallaroo.json_encoder.encode(Transaction(user="é", amount=1)) == '{"user":"é","amount":1}'.encode()


def test_models_among_plain_values_become_json():
    value = {"all": [Transaction(user="a", amount=1)], "point": Point(2)}
    assert json.loads(wallaroo.json_encoder.encode(value)) == {
        "all": [{"user": "a", "amount": 1}],
        "point": {"x": 2},
    }


def test_plain_dataclasses_become_json():
    alert = dataclasses.make_dataclass("Alert", ["user"])("Fido")
    assert wallaroo.json_encoder.encode(alert) == b'{"user":"Fido"}'


@given(JSON)
def test_plain_values_come_back_from_json(value):
    assert json.loads(wallaroo.json_encoder.encode(value)) == value


def test_what_has_no_json_form_is_an_error():
    with pytest.raises(NotImplementedError, match="json_encoder cannot write a Plain"):
        wallaroo.json_encoder.encode({"plain": Plain()})


def test_the_json_encoder_is_an_encoder():
    assert isinstance(wallaroo.json_encoder, wallaroo.Encoder)
    assert wallaroo.json_encoder.name() == "json_encoder"


def test_serialization_is_plain_pickle():
    assert pickle.loads(wallaroo.serialize({"a": (1,)})) == {"a": (1,)}  # noqa: S301
    assert wallaroo.deserialize(pickle.dumps([1, 2])) == [1, 2]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2020, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
        datetime(2020, 1, 1, 2, 0, 0, 500_000, tzinfo=timezone(timedelta(hours=2))),
        datetime(2020, 1, 1, 0, 0, 0, 500_000),  # noqa: DTZ001 - without a zone is UTC
    ],
)
def test_a_timestamp_is_seconds_since_the_epoch(moment):
    assert wallaroo.dt_to_timestamp(moment) == 1577836800.5
