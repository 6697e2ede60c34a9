"""Versions of one class, in every form that a state can have, under one name in one module.

A version has fields with defaults; `stored` and `restored` go through the codec of a store whose application
is of that version.
"""

import sys
from types import ModuleType

from wallaroo.serde.object_codec import state_codec
from wallaroo.serde.pickle import RestrictedPickle

MODULE = "versions_of_an_application"
HEAD = """
import dataclasses, msgspec, pydantic, typing
from tests.unit.serde.attrs_alike import define, frozen

class Holder:
    items = ()

"""
# `{fields}` are declarations with defaults, `{slots}` the quoted names, `{sets}` assignments to self.
FORMS = {
    "plain": "class Total:\n    def __init__(self):\n{sets}",
    "slots": "class Total:\n    __slots__ = ({slots})\n    def __init__(self):\n{sets}",
    "slots and __dict__": "class Base:\n    __slots__ = ('a',)\nclass Total(Base):\n"
    "    def __init__(self):\n{sets}",
    "dataclass": "@dataclasses.dataclass\nclass Total:\n{fields}",
    "dataclass, slots": "@dataclasses.dataclass(slots=True)\nclass Total:\n{fields}",
    "dataclass, frozen": "@dataclasses.dataclass(frozen=True)\nclass Total:\n{fields}",
    "dataclass, frozen, slots": "@dataclasses.dataclass(frozen=True, slots=True)\nclass Total:\n{fields}",
    "dataclass, kw_only": "@dataclasses.dataclass(kw_only=True)\nclass Total:\n{fields}",
    "attrs": "@define\nclass Total:\n{fields}",
    "attrs, frozen": "@frozen\nclass Total:\n{fields}",
    "pydantic": "class Total(pydantic.BaseModel):\n{fields}",
    "pydantic, extra=forbid": "class Total(pydantic.BaseModel, extra='forbid'):\n{fields}",
    "pydantic, extra=allow": "class Total(pydantic.BaseModel, extra='allow'):\n{fields}",
    "pydantic, private": "class Total(pydantic.BaseModel):\n{fields}\n"
    "    _secret: int = pydantic.PrivateAttr(default=5)",
    "named tuple": "class Total(typing.NamedTuple):\n{fields}",
    "Struct": "class Total(msgspec.Struct):\n{fields}",
    "Struct, frozen, kw_only": "class Total(msgspec.Struct, frozen=True, kw_only=True):\n{fields}",
    "typed dict": "class Total(typing.TypedDict):\n{fields}",
}


class Version:
    """One version of the application's class `Total`; its fields and their defaults as texts."""

    def __init__(self, form, **defaults):
        self.form = form
        self.is_dict = form == "typed dict"
        self._source = HEAD + FORMS[form].format(
            fields="    pass\n" * (not defaults)
            + "\n".join(
                f"    {name}: typing.Any" + ("" if self.is_dict else f" = {default}")
                for name, default in defaults.items()
            ),
            slots="".join(f"{name!r}, " for name in defaults),
            sets="        pass\n" * (not defaults)
            + "\n".join(f"        self.{name} = {default}" for name, default in defaults.items()),
        )

    def within(self, **fields):
        """The bytes of a state that holds such an object in a list, twice."""
        item = self._made(**fields)
        holder = sys.modules[MODULE].Holder()
        holder.items = [item, item]
        return state_codec(type(holder), RestrictedPickle([MODULE])).encode(holder)

    def found_within(self, data):
        """The object that this version finds in a state."""
        self.load()
        holder = sys.modules[MODULE].Holder
        [found, again] = state_codec(holder, RestrictedPickle([MODULE])).decode(data).items
        assert found is again
        return found

    def load(self):
        """Make this version the one that runs."""
        sys.modules[MODULE] = module = ModuleType(MODULE)
        exec(compile(self._source, "application.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        return module.Total

    def stored(self, **fields):
        """The bytes of a state with these fields."""
        value = self._made(**fields)
        kind = sys.modules[MODULE].Total
        return state_codec(kind, RestrictedPickle([MODULE])).encode(value)

    def _made(self, **fields):
        kind = self.load()
        if ("slots" in self.form and "dataclass" not in self.form) or self.form == "plain":
            value = kind()
            for name, held in fields.items():
                setattr(value, name, held)
        else:
            value = kind(**fields)
        return value

    def restored(self, data):
        """The fields that this version finds in stored bytes."""
        kind = self.load()
        value = state_codec(kind, RestrictedPickle([MODULE])).decode(data)
        assert type(value) is (dict if self.is_dict else kind)
        return value
