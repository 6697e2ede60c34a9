"""Objects that held nothing but themselves, within a state, whose class has got its first attributes."""

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from types import ModuleType

import pytest

from wallaroo.errors import StoredValueError
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle

MODULE = "application_with_first_attributes"
HEAD = """
import abc, collections, dataclasses, enum, msgspec, pydantic, typing
from tests.unit.serde.attrs_alike import define, frozen

class Holder:
    items = ()
"""
# By name: before and after `rate` with the default 3 came, and an expression that makes an object.
PLAIN = {
    "plain": "class Item:\n    pass",
    "slots": "class Item:\n    __slots__ = ()",
    "dataclass": "@dataclasses.dataclass\nclass Item:\n    pass",
    "attrs": "@define\nclass Item:\n    pass",
}
GOT = {
    "in __init__": "class Item:\n    def __init__(self):\n        self.rate = 3",
    "of the class": "class Item:\n    rate = 3",
    "in a slot": "class Item:\n    __slots__ = ('rate',)\n    def __init__(self):\n        self.rate = 3",
    "in a dataclass": "@dataclasses.dataclass\nclass Item:\n    rate: int = 3",
    "by a factory": "@dataclasses.dataclass\nclass Item:\n"
    "    rate: int = dataclasses.field(default_factory=lambda: 3)",
    "in a dataclass with slots": "@dataclasses.dataclass(slots=True)\nclass Item:\n    rate: int = 3",
    "in a frozen dataclass": "@dataclasses.dataclass(frozen=True)\nclass Item:\n    rate: int = 3",
    "in a frozen dataclass with slots": "@dataclasses.dataclass(frozen=True, slots=True)\nclass Item:\n"
    "    rate: int = 3",
    "in attrs": "@define\nclass Item:\n    rate: int = 3",
    "in frozen attrs": "@frozen\nclass Item:\n    rate: int = 3",
    "in a model": "class Item(pydantic.BaseModel):\n    rate: int = 3",
    "in a base": "class Base:\n    def __init__(self):\n        self.rate = 3\nclass Item(Base):\n    pass",
    "in a mixin": "class Rated:\n    __slots__ = ('rate',)\n    def __init__(self):\n        self.rate = 3\n"
    "class Item(Rated):\n    pass",
    "in a generic": "T = typing.TypeVar('T')\nclass Item(typing.Generic[T]):\n    def __init__(self):\n"
    "        self.rate = 3",
}
BUILT_IN = {
    "dict": "{1: 2}",
    "list": "[1, 2]",
    "set": "{1, 2}",
    "frozenset": "{1, 2}",
    "tuple": "(1, 2)",
    "str": "'ab'",
    "bytes": "b'ab'",
    "int": "12",
    "float": "1.5",
}


@pytest.fixture(autouse=True)
def _application():
    yield
    sys.modules.pop(MODULE, None)


def load(source):
    sys.modules[MODULE] = module = ModuleType(MODULE)
    exec(compile(HEAD + source, "application.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    return module


def codec_of(module, kind="Holder"):
    return state_codec(getattr(module, kind), RestrictedPickle([MODULE]))


def within(source, made="Item()"):
    """A state of this version that holds an object in a list, twice, and dicts behind it."""
    module = load(source)
    holder = module.Holder()
    item = eval(made, module.__dict__)  # noqa: S307 - of this file
    holder.items = [item, {}, item, {"name": 1}]
    return codec_of(module).encode(holder)


def found_within(source, stored):
    module = load(source)
    first, _, again, named = codec_of(module).decode(stored).items
    assert first is again
    assert named == {"name": 1}
    return first


@pytest.mark.parametrize("after", GOT.values(), ids=GOT)
@pytest.mark.parametrize("before", PLAIN.values(), ids=PLAIN)
def test_an_object_without_attributes_gets_its_first_one_and_comes_back(before, after):
    item = found_within(after, within(before))
    assert item.rate == 3
    back = found_within(before, within(after))
    assert type(back).__name__ == "Item"


@pytest.mark.parametrize("after", GOT.values(), ids=GOT)
def test_a_state_without_attributes_gets_its_first_one(after):
    module = load(PLAIN["plain"])
    stored = codec_of(module, "Item").encode(module.Item())
    assert codec_of(load(after), "Item").decode(stored).rate == 3


@pytest.mark.parametrize("kind", BUILT_IN)
def test_a_subclass_of_a_built_in_type_within_a_state_gets_its_first_attribute_and_comes_back(kind):
    made = BUILT_IN[kind]
    before = f"class Item({kind}):\n    pass"
    after = (
        f"class Item({kind}):\n    def __init__(self, *held):\n        self.rate = 3\n        self.seen = []"
    )
    if kind in ("dict", "list", "set"):
        after += "\n        super().__init__(*held)"
    item = found_within(after, within(before, f"Item({made})"))
    assert (item, item.rate, item.seen) == (eval(made), 3, [])  # noqa: S307
    assert found_within(before, within(after, f"Item({made})")) == item


@pytest.mark.parametrize("kind", BUILT_IN)
def test_a_subclass_of_a_built_in_type_within_a_state_gets_another_attribute(kind):
    made = BUILT_IN[kind]
    init = f"class Item({kind}):\n    def __init__(self, *held):\n        self.rate = 4\n"
    before, after = init, init + "        self.seen = []\n"
    item = found_within(after, within(before, f"Item({made})"))
    assert (item.rate, item.seen) == (4, [])


@pytest.mark.parametrize(
    ("kind", "made", "held"),
    [
        ("defaultdict", "(list, {1: 2})", defaultdict(list, {1: 2})),
        ("OrderedDict", "({1: 2})", OrderedDict({1: 2})),
        ("deque", "([1, 2])", deque([1, 2])),
        ("Counter", "('aab')", Counter("aab")),
    ],
)
def test_a_container_that_is_made_by_a_call_gets_its_first_attribute_and_comes_back(kind, made, held):
    before = f"class Item(collections.{kind}):\n    pass"
    after = before.replace(
        "pass", "def __init__(self, *held):\n        super().__init__(*held)\n        self.rate = 3"
    )
    item = found_within(after, within(before, f"Item{made}"))
    assert (item, item.rate) == (held, 3)
    assert found_within(before, within(after, f"Item{made}")) == item


@pytest.mark.parametrize("kind", ["dict", "list", "str", "int"])
def test_a_state_that_is_a_subclass_of_a_built_in_type_gets_its_first_attribute(kind):
    made = BUILT_IN[kind]
    module = load(f"class Item({kind}):\n    pass")
    stored = codec_of(module, "Item").encode(eval(f"Item({made})", module.__dict__))  # noqa: S307
    after = load(f"class Item({kind}):\n    def __init__(self, *held):\n        self.rate = 3")
    found = codec_of(after, "Item").decode(stored)
    assert (found, found.rate) == (eval(made), 3)  # noqa: S307
    kept = codec_of(after, "Item").encode(found)
    assert codec_of(load(f"class Item({kind}):\n    pass"), "Item").decode(kept) == found


def test_a_state_that_is_a_dict_takes_what_the_store_begins_with():
    module = load("class Item(dict):\n    pass")
    stored = codec_of(module, "Item").encode(module.Item({"a": 1}))
    after = load("class Item(dict):\n    def __init__(self, rate):\n        self.rate = rate")
    codec = state_codec(lambda: after.Item(7), RestrictedPickle([MODULE]))
    found = codec.decode(stored)
    assert (found, found.rate) == ({"a": 1}, 7)


def test_two_objects_do_not_share_the_list_that_they_get():
    module = load("class Item:\n    pass")
    holder = module.Holder()
    holder.items = [module.Item(), module.Item()]
    stored = codec_of(module).encode(holder)
    after = load("class Item:\n    def __init__(self):\n        self.seen = []")
    first, second = codec_of(after).decode(stored).items
    assert first.seen == second.seen == []
    assert first.seen is not second.seen


def test_an_object_that_is_compared_by_its_first_attribute_is_found_in_its_set():
    before = "@dataclasses.dataclass(frozen=True)\nclass Item:\n    pass"
    after = "@dataclasses.dataclass(frozen=True)\nclass Item:\n    rate: int = 3"
    module = load(before)
    holder = module.Holder()
    holder.items = [{module.Item()}, {module.Item(): 5}]
    stored = codec_of(module).encode(holder)
    module = load(after)
    found, named = codec_of(module).decode(stored).items
    assert module.Item(3) in found
    assert named[module.Item(3)] == 5


@pytest.mark.parametrize(
    "after",
    [
        "@dataclasses.dataclass\nclass Item:\n    rate: int",
        "@define\nclass Item:\n    rate: int",
        "class Item(pydantic.BaseModel):\n    rate: int",
    ],
)
def test_a_first_attribute_without_any_default_cannot_be_read(after):
    stored = within(PLAIN["plain"])
    with pytest.raises(StoredValueError, match="a stored Item has no 'rate'"):
        found_within(after, stored)


# Before, after, what makes the object, and what has to be true of `item` afterwards.
CHANGES = {
    "an attribute becomes a method": (
        "class Item:\n def __init__(self): self.total = 3",
        "class Item:\n def total(self): return 9",
        "Item()",
        "item.total() == 9",
    ),
    "an attribute becomes a property": (
        "class Item:\n def __init__(self): self.total = 3",
        "class Item:\n def __init__(self): self.rate = 1\n @property\n def total(self): return 9",
        "Item()",
        "(item.total, item.rate) == (9, 1)",
    ),
    "slots move to a base": (
        "class Item:\n __slots__ = ('a', 'b')\n def __init__(self): self.a, self.b = 1, 2",
        "class Base:\n __slots__ = ('a',)\nclass Item(Base):\n __slots__ = ('b', 'c')\n"
        " def __init__(self): self.a, self.b, self.c = 0, 0, 7",
        "Item()",
        "(item.a, item.b, item.c) == (1, 2, 7)",
    ),
    "attributes move to a base that has one more": (
        "class Item:\n def __init__(self): self.a, self.b = 1, 2",
        "class Base:\n def __init__(self): self.a, self.z = 0, 8\n"
        "class Item(Base):\n def __init__(self): super().__init__(); self.b = 0",
        "Item()",
        "(item.a, item.b, item.z) == (1, 2, 8)",
    ),
    "a frozen dataclass with slots gets a base": (
        "@dataclasses.dataclass(frozen=True, slots=True)\nclass Item:\n a: int = 1",
        "@dataclasses.dataclass(frozen=True, slots=True)\nclass Base:\n z: int = 8\n"
        "@dataclasses.dataclass(frozen=True, slots=True)\nclass Item(Base):\n a: int = 0",
        "Item()",
        "(item.a, item.z) == (1, 8)",
    ),
    "a class becomes generic and abstract": (
        "class Item:\n def __init__(self): self.a = 1",
        "T = typing.TypeVar('T')\nclass Base(abc.ABC, typing.Generic[T]):\n"
        " @abc.abstractmethod\n def f(self): ...\n"
        "class Item(Base[int]):\n def f(self): ...\n def __init__(self): self.a, self.b = 0, 5",
        "Item()",
        "(item.a, item.b) == (1, 5)",
    ),
    "a field is made of one that is set by the constructor only": (
        "@dataclasses.dataclass\nclass Item:\n a: int = 4",
        "@dataclasses.dataclass\nclass Item:\n a: int\n def __post_init__(self): self.double = self.a * 2",
        "Item()",
        "(item.a, item.double) == (4, 8)",
    ),
    "a dict that is made with its content": (
        "class Item(dict): pass",
        "class Item(dict):\n def __init__(self, held, limit=4): super().__init__(held); self.limit = limit",
        "Item(a=3)",
        "(item, item.limit) == ({'a': 3}, 4)",
    ),
    "a list with slots loses one": (
        "class Item(list):\n __slots__ = ('limit',)\n def __init__(self, *held):\n"
        "  super().__init__(*held); self.limit = 5",
        "class Item(list):\n __slots__ = ()",
        "Item([1])",
        "item == [1]",
    ),
    "a set with slots loses one": (
        "class Item(set):\n __slots__ = ('limit',)\n def __init__(self, *held):\n"
        "  super().__init__(*held); self.limit = 5",
        "class Item(set):\n __slots__ = ()",
        "Item([1])",
        "item == {1}",
    ),
    "a named tuple with attributes gets one": (
        "class Base(typing.NamedTuple):\n a: int = 1\nclass Item(Base): pass",
        "class Base(typing.NamedTuple):\n a: int = 1\n"
        "class Item(Base):\n def __init__(self, *held): self.limit = 5",
        "Item(3)",
        "(item.a, item.limit) == (3, 5)",
    ),
    "an enum gets a member and another name for one": (
        "class Item(enum.Enum):\n A = 1\n B = 2",
        "class Item(enum.Enum):\n A = 1\n Z = 2\n C = 3",
        "Item.B",
        "item.name == 'Z'",
    ),
    "an enum loses a member and says what stands for it": (
        "class Item(enum.Enum):\n A = 1\n B = 2",
        "class Item(enum.Enum):\n A = 1\n @classmethod\n def _missing_(cls, value): return cls.A",
        "Item.B",
        "item.name == 'A'",
    ),
    "an enum of texts becomes one of values": (
        "class Item(str, enum.Enum):\n A = 'a'",
        "class Item(enum.Enum):\n A = 'a'",
        "Item.A",
        "item.value == 'a'",
    ),
    "a class loses its pickling": (
        "class Item:\n def __init__(self, a=1): self.a = a\n def __reduce__(self): return Item, (self.a,)",
        "class Item:\n def __init__(self, a=0): self.a, self.b = a, 5",
        "Item()",
        "(item.a, item.b) == (1, 5)",
    ),
    "a Struct gets a base": (
        "class Item(msgspec.Struct):\n a: int = 1",
        "class Base(msgspec.Struct, kw_only=True):\n z: int = 8\nclass Item(Base):\n a: int = 0",
        "Item()",
        "(item.a, item.z) == (1, 8)",
    ),
    "a dataclass of pydantic gets a field": (
        "import pydantic.dataclasses\n@pydantic.dataclasses.dataclass(frozen=True)\nclass Item:\n a: int = 1",
        "import pydantic.dataclasses\n@pydantic.dataclasses.dataclass(frozen=True)\nclass Item:\n"
        " a: int = 0\n b: int = 5",
        "Item()",
        "(item.a, item.b) == (1, 5)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_object_within_a_state_is_read_after_a_change_of_its_class_and_comes_back(change):
    before, after, made, expected = CHANGES[change]
    item = found_within(after, within(before, made))
    assert eval(expected, {"item": item})  # noqa: S307 - of this file
    kept = codec_of(sys.modules[MODULE]).encode(holding(item))
    assert found_within(before, kept) is not None


def holding(item):
    holder = sys.modules[MODULE].Holder()
    holder.items = [item, {}, item, {"name": 1}]
    return holder


def test_an_enum_within_a_state_that_loses_a_member_cannot_be_read():
    stored = within("class Item(enum.Enum):\n A = 1\n B = 2", "Item.B")
    with pytest.raises(StoredValueError):
        found_within("class Item(enum.Enum):\n A = 1", stored)


def test_a_dict_of_the_application_does_not_become_an_object_with_attributes():
    stored = within("class Item(dict): pass", "Item(a=3)")
    with pytest.raises(StoredValueError):
        found_within(GOT["in __init__"], stored)
    module = load("class Item(dict): pass")
    stored = codec_of(module, "Item").encode(module.Item(a=3))
    with pytest.raises(StoredValueError):
        codec_of(load(GOT["in __init__"]), "Item").decode(stored)


def test_a_constructor_is_not_called_with_a_content_that_it_does_not_take():
    before = "class Item(dict): pass"
    after = "class Item(dict):\n def __init__(self, rate): self.rate = rate"
    assert vars(found_within(after, within(before, "Item(a=3)"))) == {}


def test_a_class_with_pickling_of_its_own_decides_by_itself():
    stored = within(PLAIN["plain"])
    after = GOT["in __init__"] + "\n    def __setstate__(self, state):\n        self.rate = 8"
    item = found_within(after, stored)
    assert vars(item) == {}


def test_a_message_with_an_object_without_attributes_gives_it_its_first_one():
    order = "\nclass Order:\n    def __init__(self, items):\n        self.items = items"
    module = load(PLAIN["plain"] + order)
    stored = message_codec(RestrictedPickle([MODULE])).encode(module.Order([module.Item()]))
    load(GOT["in __init__"] + order)
    [item] = message_codec(RestrictedPickle([MODULE])).decode(stored).items
    assert item.rate == 3
