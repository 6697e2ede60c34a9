"""A driver does not pass an application whose names differ from one process to the next."""

import importlib
import sys

import pytest

from wallaroo.errors import TopologyError
from wallaroo.testing import ApplicationDriver

TEXT = """
import os, sys, uuid
import wallaroo

TOPIC = "out"

@wallaroo.decoder()
def decode(data):
    return data.decode()

@wallaroo.encoder
def encode(message):
    return message

@wallaroo.computation(name={name})
def same(message):
    return message

def application_setup(args):
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode))
    sink = wallaroo.KafkaSinkConfig({topic}, encoder=encode)
    return wallaroo.build_application({application}, source.to(same).to_sink(sink))
"""
SAME = {"name": "'same'", "topic": "TOPIC", "application": "'a'"}


@pytest.fixture
def application_in(tmp_path, monkeypatch):
    """Writes an application into a file, and imports it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def import_text(module, text):
        (tmp_path / f"{module}.py").write_text(text)
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(module)

    return import_text


@pytest.mark.parametrize(
    "differing",
    [
        {"name": "'same' + uuid.uuid4().hex[:4]"},
        {"topic": "'out-%d' % os.getpid()"},
        {"application": "'a%d' % os.getpid()"},
        {"name": "'same%d' % (hash('a') % 1000)"},
    ],
    ids=["a uuid", "a pid in a topic", "a pid in the application", "a hash"],
)
def test_names_that_differ_from_process_to_process_are_refused_in_a_crash(application_in, differing, request):
    module = application_in(f"differing_{abs(hash(request.node.name))}", TEXT.format(**SAME | differing))
    driver = ApplicationDriver(module.application_setup(["app"]))
    with pytest.raises(TopologyError, match="differs from one process to the next"):
        driver.crash()


def test_what_application_setup_is_given_is_given_to_other_processes(application_in):
    module = application_in("given", TEXT.format(**SAME | {"topic": "args[1]"}))
    driver = ApplicationDriver(module.application_setup(["app", "elsewhere"]))
    driver.send("in", "x")
    driver.crash()
    driver.run()
    assert driver.read("elsewhere") == [b"x"]


def test_what_a_test_has_patched_is_no_difference(application_in, monkeypatch):
    module = application_in("patched", TEXT.format(**SAME))
    monkeypatch.setattr(module, "TOPIC", "elsewhere")
    driver = ApplicationDriver(module.application_setup(["app"]))
    driver.crash()
    driver.send("in", "x")
    driver.run()
    assert driver.read("elsewhere") == [b"x"]


def test_a_module_that_cannot_be_imported_elsewhere_is_not_asked(application_in):
    text = TEXT.format(**SAME) + "\nassert 'pytest' in sys.modules\n"
    module = application_in("only_here", text)
    driver = ApplicationDriver(module.application_setup(["app"]))
    driver.crash()
    driver.send("in", "x")
    driver.run()
    assert driver.read("out") == [b"x"]
