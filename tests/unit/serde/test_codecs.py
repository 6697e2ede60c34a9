"""Which codecs an application gets."""

import pickle
from types import ModuleType

import pytest

import wallaroo
from wallaroo.serde.codecs import UserCodec, codecs_of
from wallaroo.serde.object_codec import ObjectCodec


def module(**functions):
    made = ModuleType("app")
    made.__dict__.update(functions)
    return made


@pytest.mark.parametrize(
    "given",
    [
        None,
        module(),
        module(serialize=pickle.dumps),
        module(deserialize=pickle.loads),
        module(serialize=None, deserialize=None),
        module(serialize=wallaroo.serialize, deserialize=wallaroo.deserialize),
    ],
)
def test_an_application_without_codecs_of_its_own_gets_ours(given):
    codecs = codecs_of(given)
    assert isinstance(codecs.values, ObjectCodec)
    assert isinstance(codecs.state(list), ObjectCodec)


def test_a_serialize_and_a_deserialize_of_ones_own_are_used_for_everything():
    codecs = codecs_of(module(serialize=str.encode, deserialize=bytes.decode))
    assert isinstance(codecs.values, UserCodec)
    assert codecs.state(list) is codecs.values
