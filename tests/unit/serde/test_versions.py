"""What another version of the application's class has stored is read: forwards, and back again.

The table in docs/tutorial/upgrading.md is made of these cells.
"""

import sys
from decimal import Decimal

import pytest

from tests.unit.serde.versions import FORMS, MODULE, Version
from wallaroo.errors import StoredValueError
from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle


@pytest.fixture(autouse=True)
def _application():
    yield
    sys.modules.pop(MODULE, None)


def field(value, name):
    return value[name] if isinstance(value, dict) else getattr(value, name)


@pytest.mark.parametrize("new", FORMS)
@pytest.mark.parametrize("old", FORMS)
@pytest.mark.parametrize("held", [5, [Decimal(5)]], ids=["flat", "nested"])
def test_a_state_is_read_in_another_form_and_with_other_fields_and_back(old, new, held):
    before, after = Version(old, a=0, b="'b'"), Version(new, a=0, c="'c'")
    stored = before.stored(a=held, b="x")
    read = after.restored(stored)
    assert field(read, "a") == held
    assert after.is_dict or field(read, "c") == "c"
    back = before.restored(after.stored(a=held, c=[8]))
    assert field(back, "a") == held
    assert before.is_dict or field(back, "b") == "b"


NAMED = [form for form in FORMS if form != "typed dict"]
# What pickle fills, so that another form can be filled in its place.
FILLED = [form for form in NAMED if "Struct" not in form and form != "named tuple"]


@pytest.mark.parametrize("form", NAMED)
def test_an_object_within_a_state_is_read_with_other_fields_and_back(form):
    before, after = Version(form, a=0, b="'b'"), Version(form, a=0, c="'c'")
    read = after.found_within(before.within(a=5, b="x"))
    assert (read.a, read.c) == (5, "c")
    back = before.found_within(after.within(a=6, c="y"))
    assert (back.a, back.b) == (6, "b")


@pytest.mark.parametrize("form", FORMS)
def test_an_object_within_a_state_may_get_fields_at_the_end(form):
    before, after = Version(form, a=0), Version(form, a=0, c="'c'")
    read = after.found_within(before.within(a=5))
    assert field(read, "a") == 5
    assert after.is_dict or field(read, "c") == "c"


@pytest.mark.parametrize("new", FILLED)
@pytest.mark.parametrize("old", FILLED)
def test_an_object_within_a_state_may_get_another_form(old, new):
    before, after = Version(old, a=0, b="'b'"), Version(new, a=0, c="'c'")
    read = after.found_within(before.within(a=5, b="x"))
    assert (read.a, read.c) == (5, "c")


@pytest.mark.parametrize("old", ["named tuple", "Struct", "Struct, frozen, kw_only"])
@pytest.mark.parametrize("new", ["plain", "slots", "dataclass", "pydantic", "attrs"])
def test_an_object_that_is_made_by_a_call_within_a_state_has_to_stay_one(old, new):
    stored = Version(old, a=0, b="'b'").within(a=5, b="x")
    with pytest.raises(StoredValueError):
        Version(new, a=0, b="'b'").found_within(stored)


@pytest.mark.parametrize("new", FORMS)
@pytest.mark.parametrize("old", FORMS)
def test_a_state_with_no_more_than_the_defaults_is_read_too(old, new):
    before, after = Version(old), Version(new, a=3)
    read = after.restored(before.stored())
    assert after.is_dict or field(read, "a") == 3


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("named tuple", "typed dict")])
@pytest.mark.parametrize("stored", [[5], {5}, 5, "5"], ids=["list", "set", "int", "str"])
def test_a_state_that_was_a_list_or_the_like_cannot_become_an_object(form, stored):
    pickled = state_codec(type(stored), RestrictedPickle([MODULE])).encode(stored)
    with pytest.raises(StoredValueError, match=f"a stored {type(stored).__name__} is no Total"):
        Version(form, a=0).restored(pickled)
