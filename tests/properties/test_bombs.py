"""A few bytes take neither forever, nor all memory, nor the process with them, nor do they change it."""

import pickle
import time
import traceback
import tracemalloc
from collections import Counter
from fractions import Fraction
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.properties import bombs, shapes
from tests.properties.bombs import built, called, dict_of, made, of, plain, whole
from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.restricted import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
# Each of them takes many times as much, or ends the process, where it is not refused.
MOST_SECONDS = 20
MOST_BYTES = 1_000_000

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


@pytest.mark.parametrize("bomb", bombs.BOMBS.values(), ids=bombs.BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(bomb):
    data = whole(bomb)
    begun = time.monotonic()
    with pytest.raises(StoredValueError):
        PICKLES.loads(data)
    assert time.monotonic() - begun < MOST_SECONDS


@pytest.mark.parametrize("bomb", bombs.NUMBERS.values(), ids=bombs.NUMBERS)
def test_a_number_allocates_nothing(bomb):
    data = whole(bomb)
    tracemalloc.start()
    with pytest.raises(StoredValueError):
        PICKLES.loads(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MOST_BYTES


@pytest.mark.parametrize("state", [CHANGED, CHANGED_SLOT], ids=["attributes", "slots"])
@pytest.mark.parametrize(("target", "opcodes"), FILLED.values(), ids=FILLED)
def test_what_is_everybodys_is_not_changed(target, opcodes, state):
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(built(opcodes, state)))
    assert not hasattr(target, "changed")


@pytest.mark.parametrize("opcodes", ADDED.values(), ids=ADDED)
def test_a_class_is_not_told_anything(opcodes):
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(of(Registry), opcodes))
    assert Registry.known == []


def test_the_class_of_an_object_cannot_be_exchanged():
    other = plain(None) + dict_of(__class__=of(shapes.WithDefaults)) + pickle.TUPLE2
    with pytest.raises(StoredValueError, match="as pickle would not"):
        PICKLES.loads(whole(built(made(shapes.Bag), other)))


def test_a_file_is_not_opened(tmp_path):
    path = tmp_path / "kept"
    path.write_text("kept")
    with pytest.raises(StoredValueError):
        PICKLES.loads(whole(called(bombs.OwnFile, plain(str(path)), plain("w"))))
    assert path.read_text() == "kept"


@pytest.mark.parametrize(
    "opcodes",
    [
        called(bombs.OwnServer, plain(("127.0.0.1", 0)), of(shapes.Bag)),
        called(bombs.OwnPopen, plain(["touch", "forged"])),
        called(bombs.Kind, plain("Made"), plain(()), dict_of()),
    ],
    ids=["a server", "a process", "a class"],
)
def test_what_another_library_does_with_a_call_is_not_done(opcodes):
    with pytest.raises(StoredValueError, match="a stored value calls"):
        PICKLES.loads(whole(opcodes))


def test_an_error_is_told_without_what_it_holds():
    with pytest.raises(StoredValueError) as refusal:
        PICKLES.loads(whole(built(made(Choosy), bombs.TUPLES)))
    assert str(refusal.value) == "a pickled value cannot be read: KeyError"
    assert "KeyError" in "".join(traceback.format_exception(refusal.value))


class Choosy:
    def __setstate__(self, state):
        raise KeyError(state)
