"""What only looks like another field: names with two underscores, aliases, private attributes of models."""

import sys
from types import ModuleType

import pytest

from tests.unit.serde.versions import HEAD, MODULE
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle


@pytest.fixture(autouse=True)
def _application():
    yield
    sys.modules.pop(MODULE, None)


def codec_of(source):
    """The class of a state in an application of this source, and its codec."""
    sys.modules[MODULE] = module = ModuleType(MODULE)
    exec(compile(HEAD + source, "application.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    return module.State, state_codec(module.State, RestrictedPickle([MODULE]))


def upgraded(before, after, change):
    """What a version finds of a fresh state that `change` has changed in the version before."""
    kind, codec = codec_of(before)
    value = kind()
    change(value)
    stored = codec.encode(value)
    return codec_of(after)[1].decode(stored)


MODEL = "class State(pydantic.BaseModel):\n    total: int = 0\n"
PRIVATE = MODEL + "    _seen: int = pydantic.PrivateAttr(default=0)\n"


@pytest.mark.parametrize("before", [MODEL + "    other: typing.Any = {1}\n", PRIVATE])
@pytest.mark.parametrize("default", ["default=3", "default_factory=lambda: 3"])
def test_a_model_that_has_got_a_private_attribute_has_it_in_old_states_too(before, default):
    after = f"{before}    _new: int = pydantic.PrivateAttr({default})\n"
    found = upgraded(before, after, lambda state: setattr(state, "total", 5))
    assert (found.total, found._new) == (5, 3)


def test_a_private_attribute_without_a_default_stays_unset_in_old_states():
    after = PRIVATE + "    _new: int = pydantic.PrivateAttr()\n    more: int = 1\n"
    found = upgraded(PRIVATE, after, lambda state: setattr(state, "total", 5))
    assert (found.total, found.more, hasattr(found, "_new")) == (5, 1, False)


SECRETIVE = """
class {name}:
    {slots}
    def __init__(self):
        self.__total = 0
    def set(self, total):
        self.__total = total
    def get(self):
        return self.__total
"""


@pytest.mark.parametrize("old_slots", ["", "__slots__ = ('__total',)"])
@pytest.mark.parametrize("new_slots", ["", "__slots__ = ('__total',)"])
def test_attributes_with_two_underscores_follow_a_class_that_gets_another_name(old_slots, new_slots):
    before = SECRETIVE.format(name="Old", slots=old_slots) + "State = Old\n"
    after = SECRETIVE.format(name="_New", slots=new_slots) + "State = _New\n"
    assert upgraded(before, after, lambda state: state.set(5)).get() == 5


def test_attributes_with_two_underscores_follow_a_parent_that_gets_another_name():
    before = SECRETIVE.format(name="Old", slots="") + "class State(Old): pass\n"
    after = SECRETIVE.format(name="New", slots="") + "class State(New): pass\n"
    assert upgraded(before, after, lambda state: state.set(5)).get() == 5


def test_the_way_back_finds_what_was_added_under_another_name_of_the_class():
    old = SECRETIVE.format(name="Old", slots="") + "State = Old\n"
    new = SECRETIVE.format(name="New", slots="") + "State = New\n"
    stored = codec_of(old)[1].encode(sys.modules[MODULE].Old())
    codec = codec_of(new)[1]
    value = codec.decode(stored)
    value.set(7)
    assert codec_of(old)[1].decode(codec.encode(value)).get() == 7


def test_of_two_attributes_with_two_underscores_and_one_name_neither_is_taken_for_the_other():
    both = SECRETIVE.format(name="One", slots="") + SECRETIVE.format(name="Two", slots="").replace(
        "class Two", "class Two(One)"
    )
    after = SECRETIVE.format(name="New", slots="") + "State = New\n"

    def set_both(state):
        sys.modules[MODULE].One.set(state, 3)
        state.set(5)

    assert upgraded(both + "State = Two\n", after, set_both).get() == 0


@pytest.mark.parametrize("alias", ["alias='total'", "validation_alias=pydantic.AliasChoices('x', 'total')"])
@pytest.mark.parametrize("other", ["", "    other: typing.Any = {1}\n"])
def test_a_renamed_field_of_a_model_whose_alias_is_the_old_name_takes_what_was_stored(alias, other):
    after = f"class State(pydantic.BaseModel):\n    amount: int = pydantic.Field(0, {alias})\n{other}"
    assert upgraded(MODEL + other, after, lambda state: setattr(state, "total", 5)).amount == 5


def test_a_renamed_field_of_a_model_within_a_model_takes_what_was_stored_under_its_alias():
    item, state = (
        "class Item(pydantic.BaseModel):\n",
        "class State(pydantic.BaseModel):\n    items: list[Item] = []\n",
    )
    before = item + "    total: int = 5\n" + state
    after = item + "    amount: int = pydantic.Field(0, alias='total')\n" + state
    add = lambda value: value.items.append(sys.modules[MODULE].Item(total=5))  # noqa: E731
    assert upgraded(before, after, add).items[0].amount == 5


def test_aliases_that_are_names_of_other_fields_are_not_followed():
    before = "class State(pydantic.BaseModel):\n    a: int = 1\n    b: int = 2\n"
    after = (
        "class State(pydantic.BaseModel):\n    a: int = pydantic.Field(0, alias='b')\n"
        "    b: int = pydantic.Field(0, alias='a')\n"
    )
    found = upgraded(before, after, lambda state: setattr(state, "a", 5))
    assert (found.a, found.b) == (5, 2)


def test_a_field_of_a_struct_that_is_renamed_and_written_under_its_old_name_takes_what_was_stored():
    before = "class State(msgspec.Struct):\n    total: int = 0\n"
    after = "class State(msgspec.Struct):\n    amount: int = msgspec.field(default=0, name='total')\n"
    assert upgraded(before, after, lambda state: setattr(state, "total", 5)).amount == 5
