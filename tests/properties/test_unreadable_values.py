"""What could not be read back is not written: it fails while there is a record to blame."""

import collections
import enum
import functools
import http
import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from tests.properties import shapes
from tests.properties.shapes import Bag
from wallaroo.errors import RecordError
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle

PICKLES = RestrictedPickle(["tests"])


def own_function():
    return 0


UNREADABLE = [
    collections.ChainMap(),
    functools.partial(int),
    http.HTTPStatus.OK,
    re.compile("x"),
    math.sqrt,
    own_function,
    own_function.__call__,
    [].append,
    Bag().__init__,
    type(None),
    Ellipsis,
    NotImplemented,
    enum.Enum,
]
HOLDERS = {
    "bare": lambda value: value,
    "in a list": lambda value: [1, value],
    "in a dict": lambda value: {"a": value},
    "in an object": shapes.Data,
    "in a model": lambda value: shapes.Anything.model_construct(a=value),
}
# Without addresses, so that a test has the same name in every run.
each_value = pytest.mark.parametrize(
    "value", UNREADABLE, ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", repr(value))
)


@each_value
@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_value_that_could_not_be_read_back_is_not_sent(value, holder):
    with pytest.raises((RecordError, TypeError), match=r"cannot be stored or sent|cannot pickle"):
        message_codec(PICKLES).encode(holder(value))


@each_value
@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_state_that_could_not_be_restored_is_not_stored(value, holder):
    state = holder(value)
    with pytest.raises((RecordError, TypeError), match=r"cannot be stored or sent|cannot pickle"):
        state_codec(type(state), PICKLES).encode(state)


def test_a_model_class_that_cannot_be_found_again_is_not_sent():
    class Local(BaseModel):
        a: int = 0

    with pytest.raises((RecordError, AttributeError, pickle.PicklingError)):
        message_codec(PICKLES).encode(Local())


def test_a_model_class_that_cannot_be_found_again_can_be_a_state():
    class Local(BaseModel):
        a: int = 0

    codec = state_codec(Local, PICKLES)
    assert codec.encode(Local(a=7)) == b'1M{"a":7}'
    assert codec.decode(b'1M{"a":7}') == Local(a=7)


def test_the_refusal_says_what_to_do():
    with pytest.raises(RecordError) as refusal:
        PICKLES.dumps([collections.ChainMap()])
    assert str(refusal.value) == (
        "collections.ChainMap cannot be stored or sent through a topic: it is neither a value type nor a "
        "class of the application's own modules, so it could not be read back; hold plain values instead "
        "(the page Upgrading lists what can be stored), or define serialize and deserialize in the "
        "application"
    )


@pytest.mark.parametrize("threads", [8])
def test_several_threads_may_pickle_at_once(threads):
    values = [shapes.Data(a=[shapes.Frozen(n)] * 50) for n in range(200)]
    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(PICKLES.dumps, values))
    assert [PICKLES.loads(each) for each in made] == values


def test_a_value_that_failed_leaves_nothing_behind():
    with pytest.raises(RecordError):
        PICKLES.dumps(shapes.Data([1, own_function]))
    assert PICKLES.dumps(shapes.Data(1)) == RestrictedPickle(["tests"]).dumps(shapes.Data(1))
