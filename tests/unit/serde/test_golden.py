"""What version 0.1 stored is read, and version 0.1 reads what is stored today.

Version 0.1 wrote the lines of `golden/version_0_1.txt`: a place, a name in `golden/samples.py`, and the
bytes. A later version that writes something else adds a file of its own.
"""

import ast
from pathlib import Path

import pytest

from tests.properties.values import picture
from tests.unit.serde.golden.samples import SAMPLES
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])
GOLDEN = Path(__file__).parent / "golden" / "version_0_1.txt"
STORED = [line.split("\t") for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
each_stored = pytest.mark.parametrize(
    ("place", "name", "stored"), STORED, ids=[f"{place} {name}" for place, name, _ in STORED]
)


def codec_of(place, value):
    return state_codec(lambda: value, PICKLES) if place == "state" else message_codec(PICKLES)


@each_stored
def test_what_version_0_1_stored_is_read(place, name, stored):
    decoded = codec_of(place, SAMPLES[name]).decode(ast.literal_eval(stored))
    assert picture(decoded) == picture(SAMPLES[name])


@each_stored
def test_what_is_stored_today_has_the_format_of_version_0_1(place, name, stored):
    assert codec_of(place, SAMPLES[name]).encode(SAMPLES[name])[:2] == ast.literal_eval(stored)[:2]


def test_each_sample_was_stored_in_each_place():
    assert [(place, name) for place, name, _ in STORED] == [
        (place, name) for name in SAMPLES for place in ("state", "message")
    ]
