"""What belongs to the whole process is not changed, and nothing is called that pickle would not call."""

import io
import pickle
import traceback
from collections import Counter, UserDict
from enum import Enum
from fractions import Fraction
from importlib.machinery import ModuleSpec
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.properties import opcodes, shapes
from tests.properties.opcodes import arguments, built, called, dict_of, made, of, plain, whole
from wallaroo.errors import StoredValueError
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])


class OwnZone(ZoneInfo):
    """One object for each name, with attributes."""


CHANGED = dict_of(changed=plain(1))
CHANGED_SLOT = plain(None) + CHANGED + pickle.TUPLE2
FILLED = {
    "a class of one's own": (shapes.Bag, of(shapes.Bag)),
    "a class of values": (Counter, of(Counter)),
    "a class without a state of its own": (Fraction, of(Fraction)),
    "a class with a state of its own": (UUID, of(UUID)),
    "a member of an enum": (shapes.Color.RED, called(shapes.Color, plain("red"))),
    "a zone": (ZoneInfo("Europe/Paris"), called(ZoneInfo, plain("Europe/Paris"))),
    "a zone of one's own": (OwnZone("Europe/Paris"), called(OwnZone, plain("Europe/Paris"))),
}
ADDED = {
    "appended": plain(1) + pickle.APPEND,
    "appended together": pickle.MARK + plain(1) + pickle.APPENDS,
    "set": plain(1) + plain(1) + pickle.SETITEM,
    "added": pickle.MARK + plain(1) + pickle.ADDITEMS,
}


class Registry:
    """What it is told is known to the whole process."""

    known: ClassVar[list[object]] = []
    append = extend = add = known.append

    def __class_getitem__(cls, item):
        return cls

    def __call__(self, item):
        self.known.append(item)


class Recording:
    """Its methods are called with anything by who fills the class in the place of an object."""

    known: ClassVar[list[object]] = []

    def __setstate__(self, state=None):
        self.known.append(self)

    def extend(self, items=None):
        self.known.append(self)


class Static:
    """Its methods can be called on the class as well."""

    known: ClassVar[list[object]] = []

    @staticmethod
    def append(item):
        Static.known.append(item)

    __setstate__ = append


class StaticExtending(Static):
    extend = Static.append


class Appending(opcodes.OwnUserList):
    """One item it would take in its own way, many in that of another library."""

    def append(self, item):
        super().append(item)


class OwnUserDict(UserDict):
    pass


class OwnKind(type):
    """Classes of this class are made in its own way."""

    def __new__(cls, name, bases, members):
        return super().__new__(cls, name, bases, members)

    def __init__(cls, name, bases, members):
        super().__init__(name, bases, members)


class OwnMembers(Enum):
    ONE = 1

    def __new__(cls, value):
        made = object.__new__(cls)
        made._value_ = value
        return made


def of_another_library(function):
    function.__module__ = "another_library"
    return function


class FromLibrary:
    @of_another_library
    def __new__(cls, *given):
        made = object.__new__(cls)
        made.given = given
        return made

    def __getnewargs__(self):
        return self.given


class FromLibraryNamed:
    __new__ = FromLibrary.__new__

    def __getnewargs_ex__(self):
        return self.given, {}


class FromLibraryReduced(FromLibrary):
    def __reduce__(self):
        return type(self), self.given


class OwnSpec(ModuleSpec):
    """Its constructor is part of the interpreter."""


class CallingType(type):
    @of_another_library
    def __call__(cls, *given):
        return super().__call__(*given)


class Called(metaclass=CallingType):
    pass


class ReducedFile(io.FileIO):
    """Pickled as a call that opens it."""

    def __reduce__(self):
        return type(self), (self.name,)


class Indexed(dict):
    """Its items are set in its own way."""

    def __setitem__(self, key, item):
        super().__setitem__(key, item)


class OwnSetting(type):
    known: ClassVar[list[object]] = []

    def __setitem__(cls, key, item):
        cls.known.append(item)


class Set(metaclass=OwnSetting):
    pass


class Choosy:
    def __setstate__(self, state):
        raise KeyError(state)


@pytest.mark.parametrize("state", [CHANGED, CHANGED_SLOT], ids=["attributes", "slots"])
@pytest.mark.parametrize(("target", "parts"), FILLED.values(), ids=FILLED)
def test_what_is_everybodys_is_not_changed(target, parts, state):
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(built(parts, state)))
    assert not hasattr(target, "changed")


@pytest.mark.parametrize("parts", ADDED.values(), ids=ADDED)
def test_a_class_is_not_told_anything(parts):
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(of(Registry), parts))
    assert Registry.known == []


@pytest.mark.parametrize(
    "parts", [plain(1) + pickle.BUILD, pickle.MARK + plain(1) + pickle.APPENDS], ids=["state", "items"]
)
def test_a_method_is_not_called_on_something_else(parts):
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(of(Recording), parts))
    assert Recording.known == []


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (Static, plain(1) + pickle.BUILD),
        (Static, plain(1) + pickle.APPEND),
        (Static, pickle.MARK + plain(1) + pickle.APPENDS),
        (StaticExtending, pickle.MARK + plain(1) + pickle.APPENDS),
    ],
    ids=["state", "item", "items", "items together"],
)
def test_a_method_of_a_class_is_not_called_on_the_class(kind, parts):
    with pytest.raises(StoredValueError, match="a stored value fills"):
        PICKLES.loads(whole(of(kind), parts))
    assert Static.known == []


def test_a_class_takes_no_items():
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(of(Set), plain(1), plain(1), pickle.SETITEM))
    assert OwnSetting.known == []


def test_an_object_is_not_called():
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(made(Registry), arguments(plain(1)), pickle.REDUCE))
    assert Registry.known == []


def test_the_class_of_an_object_cannot_be_exchanged():
    other = plain(None) + dict_of(__class__=of(shapes.WithDefaults)) + pickle.TUPLE2
    with pytest.raises(StoredValueError, match="as pickle would not"):
        PICKLES.loads(whole(built(made(shapes.Bag), other)))


def test_the_class_of_an_object_cannot_be_exchanged_by_a_mapping_of_ones_own():
    mapping = made(Indexed) + plain("__class__") + of(shapes.WithDefaults) + pickle.SETITEM
    with pytest.raises(StoredValueError, match="as pickle would not"):
        PICKLES.loads(whole(built(made(shapes.Bag), plain(None) + mapping + pickle.TUPLE2)))


def test_the_class_of_a_member_cannot_be_exchanged():
    other = plain(None) + dict_of(__class__=of(shapes.Right)) + pickle.TUPLE2
    with pytest.raises(StoredValueError, match="as pickle would not"):
        PICKLES.loads(whole(built(called(shapes.Color, plain("red")), other)))
    assert type(shapes.Color("red")) is shapes.Color


@pytest.mark.parametrize("kind", [opcodes.OwnFile, ReducedFile])
def test_a_file_is_not_opened(kind, tmp_path):
    path = tmp_path / "kept"
    path.write_text("kept")
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(called(kind, plain(str(path)), plain("w"))))
    assert path.read_text() == "kept"


FORBIDDEN = {
    "a server": (opcodes.OwnServer, plain(("127.0.0.1", 0)), of(shapes.Bag)),
    "a process": (opcodes.OwnPopen, plain(["touch", "forged"])),
    "a class": (opcodes.Kind, plain("Made"), plain(()), dict_of()),
    "a class with methods": (opcodes.Kind, plain("Made"), arguments(), dict_of(__setstate__=of(list))),
    "a class made in its own way": (OwnKind, plain("Made"), arguments(), dict_of()),
    "a constructor of another library": (FromLibrary, plain(1)),
    "a constructor of the interpreter": (OwnSpec, plain("a"), plain(None)),
    "a call of another library": (Called,),
    "a list of another library": (opcodes.OwnUserList, plain([1])),
    "an enum made anew": (shapes.Color, plain("New"), plain("A B")),
}


@pytest.mark.parametrize(
    ("kind", "given"), [(kind, given) for kind, *given in FORBIDDEN.values()], ids=FORBIDDEN
)
def test_what_another_library_does_with_a_call_is_not_done(kind, given):
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(called(kind, *given)))


@pytest.mark.parametrize(
    ("use", "names"),
    [
        (pickle.APPEND, ["append"]),
        (pickle.BUILD, ["__setstate__"]),
        (pickle.APPEND, ["append", "__setstate__"]),
        (pickle.BUILD, ["append", "__setstate__"]),
    ],
)
def test_a_process_is_not_started_by_a_method_that_an_object_was_given(use, names, tmp_path):
    path = tmp_path / "forged"
    given = built(made(shapes.Bag), dict_of(**dict.fromkeys(names, of(opcodes.OwnPopen))))
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(given, plain(["touch", str(path)]) + use))
    assert not path.exists()


def test_a_class_with_initial_arguments_is_not_called_in_an_older_way():
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(pickle.MARK, of(opcodes.OwnList), pickle.OBJ))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (shapes.Color, [plain("red")]),
        (OwnMembers, [plain(2)]),
        (opcodes.Kind, [plain("red")]),
        (OwnKind, [plain("Made"), arguments(), dict_of()]),
    ],
)
def test_what_only_a_call_makes_is_not_made_without(kind, given):
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(made(kind, *given)))


@pytest.mark.parametrize("kind", [opcodes.OwnUserList, Appending])
def test_items_are_not_added_by_a_method_of_another_library(kind):
    empty = built(made(kind), dict_of(data=pickle.EMPTY_LIST))
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(empty, pickle.MARK, plain(1), pickle.APPENDS))


def test_an_item_is_not_set_by_a_method_of_another_library():
    empty = built(made(OwnUserDict), dict_of(data=pickle.EMPTY_DICT))
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(empty, plain(1), plain(1), pickle.SETITEM))


@pytest.mark.parametrize("kind", [FromLibrary, FromLibraryNamed, FromLibraryReduced])
def test_a_constructor_of_another_library_takes_simple_arguments_only(kind):
    assert PICKLES.loads(PICKLES.dumps(kind(1, "a"))).given == (1, "a")
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(PICKLES.dumps(kind(shapes.Bag)))


def test_what_takes_no_arguments_is_not_made_with_named_ones():
    parts = of(opcodes.OwnFile), arguments(), dict_of(a=plain(1)), pickle.NEWOBJ_EX
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(*parts))


def test_nothing_is_executed_of_a_value_that_is_refused_at_its_end():
    parts = (
        pickle.MARK + built(made(Recording), plain(1)) + called(opcodes.OwnPopen, plain(["touch", "forged"]))
    )
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(parts, pickle.TUPLE))
    assert Recording.known == []


def test_an_error_is_told_without_what_it_holds():
    with pytest.raises(StoredValueError) as refusal:
        PICKLES.loads(whole(built(made(Choosy), plain((1, 2)))))
    assert str(refusal.value) == "a pickled value cannot be read: KeyError"
    assert "KeyError" in "".join(traceback.format_exception(refusal.value))
