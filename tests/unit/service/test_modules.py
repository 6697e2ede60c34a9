"""An application's file is loaded from its path, whatever its name."""

import calendar
import sys

import pytest

from wallaroo.errors import ApplicationError, SettingsError
from wallaroo.serde.codecs import codecs_of
from wallaroo.service.modules import absolute, import_application, own_sources

SOURCE = "import pathlib\nHERE = __file__\nclass Total:\n    count = 0\n"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch, tmp_path):
    """Neither the path nor what is loaded outlives a test."""
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    monkeypatch.chdir(tmp_path)
    loaded = dict(sys.modules)
    yield
    sys.modules.clear()
    sys.modules.update(loaded)


@pytest.fixture
def file(tmp_path):
    """A function that writes an application's file, and returns its path."""

    def file(name, source=SOURCE):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return str(path)

    return file


@pytest.mark.parametrize(
    "name",
    [
        *("app.py", "my-app.py", "my app.py", "v1.2.py", "1st.py", "class.py", "合計.py", "a:b.py"),
        *("calendar.py", "email.py", "sys.py", "__main__.py", "__init__.py", "test.py"),
        *("wallaroo.py", "topologies.py", "pydantic.py", "msgspec.py", "confluent_kafka.py", "pip.py"),
    ],
)
def test_a_file_is_loaded_from_its_path_whatever_its_name(name, file):
    path = file(name)
    assert path == import_application(path).HERE


def test_a_file_is_loaded_once(file):
    path = file("calendar.py")
    assert import_application(path) is import_application(path)


def test_the_library_s_module_of_that_name_stays_what_it_is(file):
    made = import_application(file("calendar.py"))
    assert sys.modules["calendar"] is calendar
    assert made is not calendar


def test_a_library_s_module_that_is_imported_later_is_not_the_application(file, monkeypatch):
    monkeypatch.delitem(sys.modules, "calendar")
    made = import_application(
        file("calendar.py", "import calendar\nDAYS = calendar.monthrange(2026, 2)[1]\n")
    )
    assert made.DAYS == 28


def test_a_folder_of_the_same_name_beside_a_file_is_not_taken_for_it(file):
    file("app/__init__.py", "HERE = 'folder'")
    path = file("app.py")
    assert path == import_application(path).HERE


def test_modules_beside_a_file_can_be_imported(file):
    file("beside_calendar.py", "X = 1")
    assert import_application(file("calendar.py", "from beside_calendar import X")).X == 1


def test_a_name_that_is_taken_is_of_the_file_in_the_working_directory(file):
    path = file("calendar.py")
    assert absolute("calendar") == path
    assert absolute("calendar.py") == path
    assert absolute("topologies.alerts_stateful") == "topologies.alerts_stateful"


def test_a_file_that_there_is_not_is_named():
    with pytest.raises(SettingsError, match=r"there is no file 'nowhere\.py'"):
        import_application("nowhere.py")


def test_what_a_module_raises_on_import_is_told_even_if_it_is_no_exception(file):
    path = file("raises.py", "import asyncio\nraise asyncio.CancelledError")
    with pytest.raises(ApplicationError, match="module 'raises' cannot be loaded: CancelledError"):
        import_application(path)


@pytest.mark.parametrize("name", ["app.py", "calendar.py", "pip.py"])
def test_objects_of_a_file_s_classes_cross_a_topic(name, file):
    module = import_application(file(name))
    codec = codecs_of(module).values
    total = module.Total()
    total.count = 5
    assert codec.decode(codec.encode(total)).count == 5
    assert codec.decode(codec.encode([total]))[0].count == 5


@pytest.mark.parametrize("wrap", [lambda total: total, lambda total: [total]], ids=["object", "pickle"])
def test_what_was_stored_under_the_file_s_own_name_is_read_where_that_name_is_taken(wrap, file):
    module = import_application(file("pip.py"))
    assert module.__name__ == "application_pip"
    codec = codecs_of(module).values
    stored = codec.encode(wrap(module.Total()))
    before = stored.replace(b"\x0fapplication_pip", b"\x03pip").replace(b"application_pip:", b"pip:")
    assert before != stored
    assert type(codec.decode(unframed(before))) is type(wrap(module.Total()))


def unframed(pickled):
    """A pickle whose frame has become shorter, without its frame."""
    at = pickled.find(b"\x80\x05\x95")
    return pickled if at < 0 else pickled[: at + 2] + pickled[at + 11 :]


def test_sources_are_those_of_the_modules_that_the_application_has_imported(file):
    file("beside_app.py", "OPTION = '--worker'")
    module = import_application(
        file("app.py", "import json\nfrom beside_app import OPTION\nimport beside_app\n")
    )
    assert "OPTION = '--worker'" in own_sources(module)
    assert "JSONDecoder" not in own_sources(module)
