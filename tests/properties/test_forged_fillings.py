"""What belongs to the whole process is not changed, and nothing is called that pickle would not call."""

import pickle
import traceback
from collections import Counter
from fractions import Fraction
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.properties import opcodes, shapes
from tests.properties.opcodes import arguments, built, called, dict_of, made, of, plain, whole
from wallaroo.errors import StoredValueError
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])

CHANGED = dict_of(changed=plain(1))
CHANGED_SLOT = plain(None) + CHANGED + pickle.TUPLE2
FILLED = {
    "a class of one's own": (shapes.Bag, of(shapes.Bag)),
    "a class of values": (Counter, of(Counter)),
    "a class without a state of its own": (Fraction, of(Fraction)),
    "a class with a state of its own": (UUID, of(UUID)),
    "a member of an enum": (shapes.Color.RED, called(shapes.Color, plain("red"))),
    "a zone": (ZoneInfo("Europe/Paris"), called(ZoneInfo, plain("Europe/Paris"))),
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


def test_the_class_of_a_member_cannot_be_exchanged():
    other = plain(None) + dict_of(__class__=of(shapes.Right)) + pickle.TUPLE2
    with pytest.raises(StoredValueError, match="as pickle would not"):
        PICKLES.loads(whole(built(called(shapes.Color, plain("red")), other)))
    assert type(shapes.Color("red")) is shapes.Color


def test_a_file_is_not_opened(tmp_path):
    path = tmp_path / "kept"
    path.write_text("kept")
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(called(opcodes.OwnFile, plain(str(path)), plain("w"))))
    assert path.read_text() == "kept"


FORBIDDEN = {
    "a server": (opcodes.OwnServer, plain(("127.0.0.1", 0)), of(shapes.Bag)),
    "a process": (opcodes.OwnPopen, plain(["touch", "forged"])),
    "a class": (opcodes.Kind, plain("Made"), plain(()), dict_of()),
    "a class with methods": (opcodes.Kind, plain("Made"), arguments(), dict_of(__setstate__=of(list))),
    "a list of another library": (opcodes.OwnUserList, plain([1])),
    "an enum made anew": (shapes.Color, plain("New"), plain("A B")),
}


@pytest.mark.parametrize(
    ("kind", "given"), [(kind, given) for kind, *given in FORBIDDEN.values()], ids=FORBIDDEN
)
def test_what_another_library_does_with_a_call_is_not_done(kind, given):
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(called(kind, *given)))


def test_a_process_is_not_started_by_a_method_that_an_object_was_given():
    given = built(made(shapes.Bag), dict_of(append=of(opcodes.OwnPopen), __setstate__=of(opcodes.OwnPopen)))
    for use in (plain(["touch", "forged"]) + pickle.APPEND, plain(["touch", "forged"]) + pickle.BUILD):
        with pytest.raises(StoredValueError, match="a stored value calls"):
            PICKLES.loads(whole(given, use))


def test_a_class_with_initial_arguments_is_not_called_in_an_older_way():
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(pickle.MARK, of(opcodes.OwnList), pickle.OBJ))


@pytest.mark.parametrize("kind", [shapes.Color, opcodes.Kind])
def test_what_only_a_call_makes_is_not_made_without(kind):
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(made(kind, plain("red"))))


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
