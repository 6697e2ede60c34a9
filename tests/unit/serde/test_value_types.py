"""Values that are no classes of the application's own: they are stored, or the text says what cannot be."""

import sys
import types
from array import array
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path, PurePosixPath, PureWindowsPath
from threading import Lock
from types import SimpleNamespace

import pytest

from wallaroo.errors import RecordError
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])


class Holder:
    held = None


class SlottedHolder:
    __slots__ = ("held",)


class Float(float):
    """A scalar of numpy, as it pickles: by functions of numpy's own."""

    def item(self):
        return float(self)

    def __reduce__(self):
        return sum, ([1], 2)


Float.__module__, Float.__qualname__, Float.__name__ = "numpy", "float64", "float64"


@pytest.fixture
def numpy(monkeypatch):
    made = types.ModuleType("numpy")
    made.float64 = Float
    monkeypatch.setitem(sys.modules, "numpy", made)
    return made


VALUES = [
    ip_address("10.0.0.1"),
    ip_address("fe80::1%eth0"),
    ip_network("10.0.0.0/8"),
    ip_interface("2001:db8::1/64"),
    Path("/a/b"),
    PurePosixPath("a/../b"),
    PureWindowsPath("c:/a"),
    array("d", [0.1, float("inf")]),
    array("b"),
    array("q", [2**62, -1]),
    SimpleNamespace(),
    SimpleNamespace(a=1, b=[SimpleNamespace(c=2)]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_of_the_standard_library_are_stored(value):
    state = Holder()
    state.held = [value]
    codec = state_codec(Holder, PICKLES)
    (again,) = codec.decode(codec.encode(state)).held
    assert (type(again), again) == (type(value), value)
    assert message_codec(PICKLES).decode(message_codec(PICKLES).encode(value)) == value


def test_a_namespace_may_be_a_state():
    codec = state_codec(SimpleNamespace, PICKLES)
    assert codec.decode(codec.encode(SimpleNamespace(total=5))).total == 5


@pytest.mark.usefixtures("numpy")
def test_scalars_of_numpy_are_stored():
    state = Holder()
    state.held = Float(1.5)
    codec = state_codec(Holder, PICKLES)
    again = codec.decode(codec.encode(state)).held
    assert (type(again), again) == (Float, 1.5)


@pytest.mark.parametrize("kind", [Holder, SlottedHolder])
@pytest.mark.parametrize(
    ("held", "told"),
    [
        (Lock(), "Holder.held, of _thread.lock: "),
        ([Lock()], "Holder.held, of builtins.list: "),
        (sys.stdout.write, "Holder.held, of "),
        (types.MappingProxyType({}), "Holder.held, of builtins.mappingproxy: "),
    ],
    ids=["lock", "list", "method", "proxy"],
)
def test_what_cannot_be_stored_is_named_with_its_attribute_and_class(kind, held, told):
    state = kind()
    state.held = held
    with pytest.raises(RecordError, match=told):
        state_codec(kind, PICKLES).encode(state)


def test_what_cannot_be_stored_says_where_the_list_of_what_can_be_is():
    state = Holder()
    state.held = types.MappingProxyType
    with pytest.raises(RecordError, match=r"Holder.held, of builtins.type: .*the page Upgrading lists"):
        state_codec(Holder, PICKLES).encode(state)


def test_an_item_of_a_dict_that_cannot_be_stored_is_named():
    with pytest.raises(RecordError, match=r"dict.lock, of _thread.lock: "):
        state_codec(dict, PICKLES).encode({"lock": Lock()})
