"""Classes of installed packages are stored like those beside the application, if they are plain."""

import sys
from importlib import import_module
from types import ModuleType

import pytest

from wallaroo.errors import RecordError, StoredValueError
from wallaroo.serde.codecs import codecs_of
from wallaroo.serde.pickle import RestrictedPickle

CLASSES = """
import collections, dataclasses, enum, subprocess, typing
import pydantic

@dataclasses.dataclass
class Position:
    x: int = 0

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int = 0

class Plain:
    def __init__(self, x=0):
        self.x = x
    def __eq__(self, other):
        return self.x == other.x

class Slots:
    __slots__ = ("x",)
    def __init__(self, x=0):
        self.x = x
    def __eq__(self, other):
        return self.x == other.x

class Model(pydantic.BaseModel):
    x: int = 0

class Color(enum.Enum):
    RED = 1

class Pair(typing.NamedTuple):
    x: int = 0

class Bag(dict):
    pass

class Process(subprocess.Popen):
    pass

class Finalized:
    def __del__(self):
        pass

class OwnPickling:
    def __setstate__(self, state):
        pass

class Attributes:
    def __getattr__(self, name):
        raise AttributeError(name)
"""
PLAIN = ["Position()", "Frozen()", "Plain()", "Slots()", "Model()", "Color.RED", "Pair()", "Bag(a=1)"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package."""
    folder = tmp_path / "site-packages"
    (folder / "company_models").mkdir(parents=True)
    (folder / "company_models" / "__init__.py").write_text("from company_models.classes import *\n")
    (folder / "company_models" / "classes.py").write_text(CLASSES)
    monkeypatch.syspath_prepend(str(folder))
    yield import_module("company_models")
    sys.modules.pop("company_models", None)
    sys.modules.pop("company_models.classes", None)


@pytest.fixture
def application(package, monkeypatch):
    """An application's module that has imported a function of that package only."""
    made = ModuleType("company_app")
    made.__file__ = "/somewhere/company_app.py"
    made.models = package
    monkeypatch.setitem(sys.modules, "company_app", made)
    return made


@pytest.mark.parametrize("expression", PLAIN)
@pytest.mark.parametrize(
    "wrap", [lambda value: value, lambda value: {"held": [value]}], ids=["itself", "held"]
)
def test_a_plain_class_of_a_package_that_the_application_imports_is_stored(expression, wrap, application):
    codec = codecs_of(application).values
    value = wrap(eval(expression, vars(application.models)))  # noqa: S307 - a name from the list above
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("expression", PLAIN)
def test_a_class_of_a_package_that_no_own_module_imports_is_not(expression, package):
    value = eval(expression, vars(package))  # noqa: S307 - a name from the list above
    with pytest.raises(RecordError, match="cannot be stored"):
        RestrictedPickle(["nobody"]).dumps([value])


@pytest.mark.parametrize("name", ["Process", "Finalized", "OwnPickling", "Attributes"])
def test_a_class_that_would_run_code_of_its_own_is_refused(name, application):
    with pytest.raises(StoredValueError, match="neither a value type nor a class of the application"):
        RestrictedPickle(["company_app"]).find_class("company_models.classes", name)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("subprocess", "Popen"),
        ("pydantic.main", "BaseModel"),
        ("wallaroo.settings", "Settings"),
        ("confluent_kafka.admin", "AdminClient"),
    ],
)
def test_neither_the_standard_library_nor_what_we_build_on_lends_a_class(module, name, application):
    application.imported = import_module(module)
    with pytest.raises(StoredValueError, match="neither a value type"):
        RestrictedPickle(["company_app"]).find_class(module, name)


def test_no_class_of_a_package_is_called_to_complete_an_object_beside_one_that_is(application):
    class Order:
        def __init__(self):
            self.items = []

    Order.__module__, Order.__qualname__ = "company_app", "Order"
    application.Order = Order
    order = Order()
    order.items = [application.models.Plain(1)]
    del order.items[0].x
    pickles = RestrictedPickle(["company_app"])
    stored = pickles.dumps([order])
    Order.__init__ = lambda self: setattr(self, "rate", 3)
    [found] = pickles.loads(stored)
    assert found.rate == 3
    assert vars(found.items[0]) == {}
