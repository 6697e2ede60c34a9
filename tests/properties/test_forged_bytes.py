"""Whatever is in an internal topic: it is read as what it was, or it is a StoredValueError."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import forgeries, shapes
from tests.properties.values import values, with_attributes
from wallaroo.errors import StoredValueError
from wallaroo.serde.codecs import UserCodec
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
pytestmark = pytest.mark.usefixtures("limited_memory")
VALUES = message_codec(PICKLES)
CODECS = [
    VALUES,
    *(
        state_codec(kind, PICKLES)
        for kind in (shapes.Bag, shapes.Slots, shapes.Scalars, shapes.Tree, list, int)
    ),
    UserCodec(pickle.dumps, lambda data: data.decode("ascii")),
]
FORMATS = st.sampled_from((b"", b"1J", b"1D", b"1M", b"1P", b"1S", b"1B", b"1U", b"2J", b"\x00\x00"))
HEADERS = st.sampled_from(
    (b"", b"tests.properties.shapes:Scalars\n", b"os:system\n", b":\n", b"{", b"\x80\x05")
)


def read(codec, data):
    """What the bytes hold, or None where they are refused in the one way allowed."""
    try:
        return codec.decode(data)
    except StoredValueError:
        return None


each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)


@each_codec
@given(FORMATS, HEADERS, st.binary(max_size=60))
def test_any_bytes(codec, kind, header, payload):
    read(codec, kind + header + payload)


@each_codec
@given(FORMATS, st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(repr))
def test_text_in_the_place_of_json(codec, kind, text):
    read(codec, kind + text.encode(errors="surrogatepass"))


@given(with_attributes(shapes.Bag) | with_attributes(shapes.Slots, names=st.sampled_from("ab")), st.data())
def test_damaged_bytes(state, data):
    codec = state_codec(type(state), PICKLES)
    read(codec, damaged(codec.encode(state), data))


@given(values, st.data())
def test_damaged_values(value, data):
    read(VALUES, damaged(VALUES.encode(value), data))


def damaged(made, data):
    """Cut, or with a few bytes changed."""
    broken = bytearray(made[: data.draw(st.integers(0, len(made)))])
    places = st.lists(st.integers(0, max(0, len(broken) - 1)), max_size=3) if broken else st.just([])
    for place in data.draw(places):
        broken[place] = data.draw(st.integers(0, 255))
    return bytes(broken)


each_call = pytest.mark.parametrize("call", forgeries.CALLS, ids=lambda call: call.call[0].__qualname__)


@pytest.mark.parametrize("protocol", [4, 5])
@each_call
def test_a_forged_call_is_refused_before_it_runs(call, protocol):
    with pytest.raises(StoredValueError, match="neither a value type nor a class"):
        PICKLES.loads(pickle.dumps(call, protocol=protocol))
    assert not forgeries.Mine.ran


@pytest.mark.parametrize("protocol", range(4))
@each_call
def test_a_forged_call_in_an_older_way_is_refused_as_such(call, protocol):
    with pytest.raises(StoredValueError, match="which is not ours"):
        PICKLES.loads(pickle.dumps(call, protocol=protocol))
    assert not forgeries.Mine.ran


@pytest.mark.parametrize(
    "behind", [b"", pickle.dumps(shapes.Bag(), 5)[2:]], ids=["alone", "with a name of ours"]
)
@each_call
def test_a_forged_call_in_an_older_way_behind_our_beginning_is_refused(call, behind):
    older = pickle.dumps(call, protocol=2)[2:-1]
    with pytest.raises(StoredValueError, match=r"a stored value names"):
        PICKLES.loads(forgeries.BEGIN + older + behind + pickle.STOP)
    assert not forgeries.Mine.ran


@pytest.mark.parametrize(("module", "name"), forgeries.PLACES)
def test_a_name_that_is_not_ones_own_is_refused(module, name):
    with pytest.raises(StoredValueError, match=r"stored value names|cannot be read: AttributeError"):
        PICKLES.loads(forgeries.forged(module, name))


@pytest.mark.parametrize(("module", "name"), forgeries.PLACES)
def test_a_forged_model_is_refused(module, name):
    with pytest.raises(StoredValueError):
        VALUES.decode(f"1M{module}:{name}\n{{}}".encode())


def test_a_class_of_the_applications_own_that_was_a_model_is_made_of_its_fields():
    assert vars(VALUES.decode(b'1Mtests.properties.shapes:Bag\n{"a":1}')) == {"a": 1}


@pytest.mark.parametrize(
    "data", [b"1Pcos\nsystem\n.", b"1PPpersistent\n.", b"1P" + b"(" * 100_000, b"1J[1]", b"1JX"]
)
def test_strange_bytes_are_refused(data):
    with pytest.raises(StoredValueError):
        state_codec(shapes.Bag, PICKLES).decode(data)


def test_what_serialize_did_not_make_is_refused():
    with pytest.raises(StoredValueError, match="not made by the application's serialize"):
        UserCodec(pickle.dumps, pickle.loads).decode(b"1P" + pickle.dumps(1))
