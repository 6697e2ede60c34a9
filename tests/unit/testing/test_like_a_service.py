"""A driver does not pass what a service would fail: memory of modules, codecs of helpers."""

import sys
import types

import wallaroo
from tests.unit.testing import keeping
from wallaroo.testing import ApplicationDriver

# As after an import.
NOTHING_NOTED = b"[0, 0, 0, 0, 0, 0, None, 0, False, None, 1, 1, 1, 0, 0.6229016948897019, 0, 0, True]"


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.encoder
def encode(message):
    return str(message)


def test_what_modules_have_noted_down_is_lost_in_a_crash():
    driver = ApplicationDriver(keeping.application_setup([]))
    driver.send("in", "x")
    driver.run()
    driver.crash()
    driver.send("in", "x")
    driver.run()
    assert driver.read("out") == [NOTHING_NOTED] * 2
    driver.crash()


def test_what_a_test_has_set_before_it_made_the_driver_stays(monkeypatch):
    monkeypatch.setattr(keeping, "LIMIT", 7)
    monkeypatch.setitem(keeping.seen, "y", 1)
    driver = ApplicationDriver(keeping.application_setup([]))
    driver.crash()
    assert (keeping.LIMIT, keeping.seen) == (7, {"y": 1})


def module_with(serialize, deserialize):
    """A module as a file of an application would be."""
    module = types.ModuleType("an_application_in_a_file")
    vars(module).update(serialize=serialize, deserialize=deserialize, keeping=keeping)
    text = "def application_setup(args):\n    return keeping.application_setup(args)\n"
    exec(text, vars(module))  # noqa: S102 - its globals are those of the module
    return module


def test_the_serialize_beside_application_setup_is_taken_as_a_service_takes_it(monkeypatch):
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode))
    sink = wallaroo.KafkaSinkConfig("out", encoder=encode)
    extract = wallaroo.key_extractor(lambda message: message)
    stage = wallaroo.computation("same")(lambda message: message)
    pipeline = source.key_by(extract).to(stage).to_sink(sink)
    module = module_with(str, str)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(
        keeping, "application_setup", lambda _args: wallaroo.build_application("helper", pipeline)
    )
    driver = ApplicationDriver(module.application_setup([]))
    driver.send("in", "x")
    driver.run()
    [letter] = driver.dead_letters()
    assert "serialize of the application's module returned str" in letter.message
    assert "another name" in letter.message
