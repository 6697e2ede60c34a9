"""What is stored, or sent through an internal topic, comes back exactly as it was."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import shapes
from tests.properties.values import json_scalars, models, picture, scalars, values, with_attributes
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
CODEC = message_codec(PICKLES)

MODELS = (
    *(shapes.Scalars, shapes.Anything, shapes.Aliased, shapes.Strict, shapes.Open, shapes.Narrow),
    *(shapes.Doubling, shapes.Hidden, shapes.Base, shapes.Extended, shapes.Tree, shapes.Moment),
)
BAGS = (shapes.Bag, shapes.WithDefaults, shapes.Derived, shapes.SlotsAndMore, shapes.OwnList, shapes.OwnDict)


def restored(codec, value):
    return codec.decode(codec.encode(value))


@given(values)
def test_a_value_comes_back_from_a_topic(value):
    assert picture(restored(CODEC, value)) == picture(value)


@given(
    st.dictionaries(st.text(max_size=3) | st.integers() | st.none() | st.booleans(), json_scalars, max_size=3)
)
def test_a_flat_dict_comes_back_from_a_topic(value):
    assert picture(restored(CODEC, value)) == picture(value)


@given(values)
def test_a_state_of_any_type_comes_back(value):
    codec = state_codec(type(value), PICKLES)
    assert picture(restored(codec, value)) == picture(value)


@given(values, values)
@example(shapes.Frozen(None), [])
@example(shapes.Frozen(None), {"item": 1})
def test_a_state_of_another_type_than_the_first_comes_back(first, value):
    codec = state_codec(lambda: first, PICKLES)
    assert picture(restored(codec, value)) == picture(value)


@pytest.mark.parametrize("kind", BAGS)
@pytest.mark.parametrize("items", [json_scalars, values], ids=["scalars", "values"])
@given(data=st.data())
def test_attributes_come_back(kind, items, data):
    state = data.draw(with_attributes(kind, items))
    assert picture(restored(state_codec(kind, PICKLES), state)) == picture(state)
    assert picture(restored(CODEC, state)) == picture(state)


@pytest.mark.parametrize("items", [json_scalars, values], ids=["scalars", "values"])
@given(data=st.data())
def test_slots_come_back(items, data):
    state = data.draw(with_attributes(shapes.Slots, items, st.sampled_from("ab")))
    assert picture(restored(state_codec(shapes.Slots, PICKLES), state)) == picture(state)
    assert picture(restored(CODEC, state)) == picture(state)


@pytest.mark.parametrize("kind", [*BAGS, shapes.Slots])
@pytest.mark.parametrize("items", [json_scalars, values], ids=["scalars", "values"])
@given(data=st.data())
def test_states_encoded_together_are_as_each_by_itself(kind, items, data):
    others = values if data.draw(st.booleans()) else st.nothing()
    states = data.draw(st.lists(with_attributes(kind, items, st.sampled_from("ab")) | others, max_size=5))
    codec = state_codec(kind, PICKLES)
    assert codec.encode_all(states) == [codec.encode(state) for state in states]


@given(with_attributes(shapes.OwnState, names=st.just("value")))
def test_the_own_pickling_of_a_class_is_honoured(state):
    assert picture(restored(state_codec(shapes.OwnState, PICKLES), state)) == picture(state)


@given(with_attributes(shapes.Outer.Inner))
def test_an_inner_class_comes_back(state):
    assert picture(restored(CODEC, state)) == picture(state)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("items", [json_scalars, values], ids=["scalars", "values"])
@given(data=st.data())
def test_a_model_comes_back_however_it_was_changed(kind, items, data):
    model = data.draw(models(kind, items))
    assert picture(restored(state_codec(kind, PICKLES), model)) == picture(model)
    assert picture(restored(CODEC, model)) == picture(model)


@given(st.builds(shapes.Tree, base=st.just(shapes.Base()) | st.builds(shapes.Extended, a=..., b=...)))
def test_a_model_in_the_place_of_its_parent_comes_back(tree):
    assert picture(restored(CODEC, tree)) == picture(tree)


@given(st.builds(shapes.Open, a=st.integers(), z=scalars))
def test_undeclared_fields_come_back(model):
    assert picture(restored(CODEC, model)) == picture(model)


@pytest.mark.parametrize("model", [shapes.Numbers([1, 2]), shapes.IntBox(item=3), shapes.Box[str](item="x")])
def test_a_model_of_another_form_comes_back(model):
    assert picture(restored(CODEC, model)) == picture(model)
    assert picture(restored(state_codec(type(model), PICKLES), model)) == picture(model)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (shapes.Base(a=7), b'1Mtests.properties.shapes:Base\n{"a":7}'),
        (shapes.Strict(number=1.5), b'1Mtests.properties.shapes:Strict\n{"number":1.5,"when":null}'),
        (
            shapes.Aliased(userName="rex", limit=2.0),
            b'1Mtests.properties.shapes:Aliased\n{"user_name":"rex","limit":2.0}',
        ),
        (shapes.Tree(), b'1Mtests.properties.shapes:Tree\n{"base":{"a":0},"bases":[],"pairs":{}}'),
        ("größe", "1Sgröße".encode()),
        (b"\x00", b"1B\x00"),
    ],
)
def test_models_and_text_are_readable_in_a_topic(value, stored):
    assert CODEC.encode(value) == stored
