"""The version before and this one run beside each other: each reads what the other has stored.

The version before wrote the lines of `golden/before_names.txt`. It reads a pickle by pickle's own reader, a
model by that of pydantic, and attributes by that of JSON; so do the tests here. All stop where a value ends.
"""

import ast
import ipaddress
import json
import pickle
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
from msgspec import Struct
from pydantic import BaseModel

from tests.properties.values import picture
from tests.unit.serde.golden.more_samples import MORE_SAMPLES
from tests.unit.serde.golden.samples import SAMPLES
from wallaroo.errors import StoredValueError
from wallaroo.serde.formats import (
    ATTRIBUTES_JSON,
    ATTRIBUTES_PICKLE,
    BYTES,
    DICT_JSON,
    MODEL_JSON,
    PICKLE,
    TEXT,
)
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
GOLDEN = Path(__file__).parent / "golden" / "before_names.txt"
STORED = [line.split("\t") for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
ALL = {**SAMPLES, **MORE_SAMPLES}
CASES = [(place, name) for name in ALL for place in ("state", "message")]


def codec_of(place, value):
    return state_codec(lambda: value, PICKLES) if place == "state" else message_codec(PICKLES)


def filled(kind, fields):
    if issubclass(kind, Struct):
        return kind(**fields)
    made = kind.__new__(kind)
    for name, held in fields.items():
        object.__setattr__(made, name, held)
    return made


READERS = {
    PICKLE: lambda _kind, payload: pickle.loads(payload),  # noqa: S301
    ATTRIBUTES_JSON: lambda kind, payload: filled(kind, json.loads(payload)),
    ATTRIBUTES_PICKLE: lambda kind, payload: filled(kind, pickle.loads(payload)),  # noqa: S301
    MODEL_JSON: lambda kind, payload: kind.__pydantic_validator__.validate_json(
        payload, by_alias=False, by_name=True
    ),
    DICT_JSON: lambda _kind, payload: json.loads(payload),
    TEXT: lambda _kind, payload: payload.decode("utf-8", "surrogatepass"),
    BYTES: lambda _kind, payload: payload,
}
NAMING = (ATTRIBUTES_JSON, ATTRIBUTES_PICKLE, MODEL_JSON)


@pytest.mark.parametrize(("place", "name"), CASES)
def test_the_version_before_reads_what_is_stored_today(place, name):
    data = codec_of(place, ALL[name]).encode(ALL[name])
    names_class = place == "message" and data.startswith(NAMING)
    payload = data.partition(b"\n")[2] if names_class else data[2:]
    assert picture(READERS[data[:2]](type(ALL[name]), payload)) == picture(ALL[name])


@pytest.mark.parametrize(("place", "name", "stored"), STORED)
def test_what_the_version_before_stored_is_read(place, name, stored):
    decoded = codec_of(place, MORE_SAMPLES[name]).decode(ast.literal_eval(stored))
    assert picture(decoded) == picture(MORE_SAMPLES[name])


@pytest.mark.parametrize(("place", "name", "stored"), STORED)
def test_what_is_stored_today_has_the_format_of_the_version_before(place, name, stored):
    encoded = codec_of(place, MORE_SAMPLES[name]).encode(MORE_SAMPLES[name])
    assert encoded[:2] == ast.literal_eval(stored)[:2]


def test_each_sample_was_stored_in_each_place():
    assert [(place, name) for place, name, _ in STORED] == [
        (place, name) for name in MORE_SAMPLES for place in ("state", "message")
    ]


@pytest.mark.parametrize(
    "value", [ipaddress.ip_address("10.0.0.1"), PurePosixPath("/a"), SimpleNamespace(a=1)], ids=repr
)
def test_what_the_version_before_could_not_store_is_pickled_by_the_name_of_its_class(value):
    data = state_codec(list, PICKLES).encode([value])
    assert data.startswith(PICKLE)
    assert type(value).__qualname__.encode() in data


def test_a_model_that_the_version_before_has_read_and_written_has_all_its_fields_set():
    before = b'1M{"a":1,"b":0.0,"c":"","d":false,"e":null}'
    read = codec_of("state", SAMPLES["a model"]).decode(before)
    assert isinstance(read, BaseModel)
    assert read.model_fields_set == type(read).model_fields.keys()


@pytest.mark.parametrize(
    "names",
    [
        b'{"tests.properties.shapes:Pair":["a"]}',
        b'{"tests.properties.shapes:Pair":["a","b","c"]}',
        b'{"tests.properties.shapes:Pair":5}',
        b'{"os:system":["a","b"]}',
        b'{"os":["a","b"]}',
        b"{",
        b"garbage",
    ],
)
def test_names_behind_a_pickle_that_do_not_fit_it_are_refused(names):
    forged = PICKLE + pickle.dumps(SAMPLES["a named tuple"], 5) + names
    with pytest.raises(StoredValueError):
        codec_of("state", SAMPLES["a named tuple"]).decode(forged)
    with pytest.raises(StoredValueError):
        codec_of("message", None).decode(forged)
