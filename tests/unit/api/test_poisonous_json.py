"""JSON made to hurt: it costs time and memory in proportion to its size, and ends in a value or an error."""

import json
import subprocess
import sys
import time
from typing import Any

import msgspec
import pydantic
import pytest

import wallaroo
from wallaroo.testing import ApplicationDriver


class Model(pydantic.BaseModel):
    user: str
    amount: float | int
    extra: Any = None


class Record(msgspec.Struct):
    user: str
    amount: float | int
    extra: Any = None


MODELS = {"pydantic": Model, "msgspec": Record, "dict": dict}
# Each of a size: about as many bytes, or a few times as many.
POISONS = {
    "lists": lambda n: b'{"user":"a","amount":1,"extra":' + b"[" * n + b"]" * n + b"}",
    "objects": lambda n: b'{"user":"a","amount":1,"extra":' + b'{"a":' * n + b"1" + b"}" * n + b"}",
    "lists in what is ignored": lambda n: b'{"user":"a","amount":1,"x":' + b"[" * n + b"]" * n + b"}",
    "lists that do not end": lambda n: b'{"user":"a","amount":1,"extra":' + b"[" * n,
    "an integer": lambda n: b'{"user":"a","amount":' + b"9" * n + b"}",
    "a negative integer": lambda n: b'{"user":"a","amount":-' + b"9" * n + b"}",
    "an integer of any type": lambda n: b'{"user":"a","amount":1,"extra":' + b"9" * n + b"}",
    "an integer as a text": lambda n: b'{"user":"a","amount":"' + b"9" * n + b'"}',
    "a fraction": lambda n: b'{"user":"a","amount":0.' + b"9" * n + b"}",
    "an exponent": lambda n: b'{"user":"a","amount":1e' + b"9" * n + b"}",
    "a negative exponent": lambda n: b'{"user":"a","amount":1e-' + b"9" * n + b"}",
    "one key many times": lambda n: b"{" + b'"user":"a",' * (n // 10) + b'"amount":1}',
    "many keys": lambda n: (
        b'{"user":"a","amount":1,' + b",".join(b'"%x":0' % i for i in range(n // 10)) + b"}"
    ),
    "escapes": lambda n: b'{"user":"' + b"\\u0041" * (n // 6) + b'","amount":1}',
    "blanks": lambda n: b'{"user":"a",' + b" " * n + b'"amount":1}',
}
# Far more than it takes on a slow machine, and far less than anything quadratic.
SECONDS_PER_MB = 10
MB = 1_000_000


def outcome(decoder, data):
    """The value, or the text of the error, which a dead letter carries."""
    try:
        return decoder.decode(data)
    except Exception as error:  # whatever a decoder raises makes a dead letter
        return str(error)


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_a_megabyte_of_poison_takes_no_longer_than_a_megabyte(model, poison):
    decoder, data = wallaroo.json_decoder(model), poison(MB)
    began = time.process_time()
    outcome(decoder, data)
    assert time.process_time() - began < SECONDS_PER_MB


@pytest.mark.parametrize("name", ["lists", "objects", "lists in what is ignored", "lists that do not end"])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_what_is_nested_too_deep_is_refused_with_a_short_text(model, name):
    said = outcome(wallaroo.json_decoder(model), POISONS[name](100_000))
    assert isinstance(said, str)
    assert len(said) < 1_000


@pytest.mark.parametrize("name", ["an integer", "a negative integer"])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_an_integer_of_a_million_digits_is_refused_with_a_short_text(model, name):
    said = outcome(wallaroo.json_decoder(model), POISONS[name](MB))
    assert isinstance(said, str)
    assert len(said) < 1_000


CHILD = """
import resource, sys
import wallaroo
from tests.unit.api.test_poisonous_json import MODELS, POISONS, outcome
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
for poison in POISONS.values():
    outcome(wallaroo.json_decoder(MODELS[sys.argv[1]]), poison(10_000_000))
print("alive")
"""


@pytest.mark.parametrize("model", MODELS)
def test_ten_megabytes_of_poison_do_not_end_the_process_nor_take_two_gigabytes(model):
    command = [sys.executable, "-c", CHILD, model, str(2_000 * MB)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-2_000:]


@wallaroo.decoder()
def own(data):
    return json.loads(data)


@wallaroo.key_extractor
def user(message):
    return message["user"]


@wallaroo.state_computation(name="last", state=dict)
def last(message, state):
    state["last"] = message["extra"]
    return str(message["amount"])


@wallaroo.encoder
def encode(text):
    return text.encode()


@pytest.fixture(params=["own", "json_decoder"])
def driver(request):
    decoder = own if request.param == "own" else wallaroo.json_decoder(dict)
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decoder))
    pipeline = source.key_by(user).to(last).to_sink(wallaroo.KafkaSinkConfig("out", encoder=encode))
    return ApplicationDriver(wallaroo.build_application("poisoned", pipeline))


@pytest.mark.parametrize("depth", [100, 190, 500, 900, 5_000, 100_000])
def test_a_deep_message_goes_through_a_repartition_and_a_state_or_becomes_a_dead_letter(driver, depth):
    driver.send("in", POISONS["lists"](depth))
    driver.send("in", b'{"user": "b", "amount": 2, "extra": 1}')
    driver.run()
    assert b"2" in driver.read("out")
    assert len(driver.read("out")) + len(driver.dead_letters()) == 2


@pytest.mark.parametrize("digits", [4_000, 4_300, 5_000, 1_000_000])
def test_a_long_integer_goes_through_or_becomes_a_dead_letter(driver, digits):
    driver.send("in", b'{"user": "a", "extra": 0, "amount": ' + b"9" * digits + b"}")
    driver.send("in", b'{"user": "b", "amount": 2, "extra": 1}')
    driver.run()
    assert b"2" in driver.read("out")
    assert len(driver.read("out")) + len(driver.dead_letters()) == 2
