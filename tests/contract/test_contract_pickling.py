"""Contract 1.2: wrappers survive a pickle round trip, and so does what is built of them."""

import copy
import pickle

import pytest
from pydantic import BaseModel

import wallaroo
from tests.samples import Count, decode, encode, history, look, plain, split, total, user, windows
from wallaroo.api.stages import recall


class Transaction(BaseModel):
    user: str


under_another_name = wallaroo.computation("another name")(plain)
transactions = wallaroo.json_decoder(Transaction)


class Stages:
    @wallaroo.computation("inside a class")
    def inside(data):  # noqa: N805 - the decorator makes no method of it
        return data


def make(name):
    @wallaroo.computation(name)
    def local(data):
        return name, data

    return local


EVERY_WRAPPER = [
    look,
    split,
    total,
    history,
    user,
    encode,
    decode,
    under_another_name,
    Stages.inside,
    transactions,
    wallaroo.json_encoder,
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrapper", EVERY_WRAPPER)
def test_a_wrapper_comes_back_as_itself(wrapper, protocol):
    assert pickle.loads(pickle.dumps(wrapper, protocol)) is wrapper  # noqa: S301


@pytest.mark.parametrize("wrapper", EVERY_WRAPPER)
def test_a_copy_of_a_wrapper_is_the_wrapper(wrapper):
    assert copy.copy(wrapper) is wrapper
    assert copy.deepcopy(wrapper) is wrapper


@pytest.mark.parametrize("wrapper", [look, history, user, encode, decode, wallaroo.json_encoder])
def test_a_global_wrapper_is_pickled_by_its_qualified_name(wrapper):
    assert wrapper.__reduce__() == wrapper.__qualname__


def test_wrappers_made_in_a_function_are_told_apart():
    first, second = make("first"), make("second")
    assert pickle.loads(pickle.dumps([first, second])) == [first, second]  # noqa: S301


def test_a_wrapper_of_another_process_is_missed_with_a_reason():
    with pytest.raises(wallaroo.WallarooParameterError, match="is not declared in this process"):
        recall((__name__, "make.<locals>.local", 1_000_000))


def test_the_library_serializes_what_it_declares():
    assert wallaroo.deserialize(wallaroo.serialize(look)) is look


def test_values_survive_the_librarys_serialization():
    value = {"tuple": (1, 2), "big": 2**100, "bytes": b"\x00"}
    assert wallaroo.deserialize(wallaroo.serialize(value)) == value


def test_an_aggregation_survives():
    assert wallaroo.deserialize(wallaroo.serialize(Count())).name() == "Count"


def test_an_application_survives():
    over_time = windows()
    source = wallaroo.KafkaSourceConfig("in", [("localhost", 9092)], decoder=decode)
    pipeline = wallaroo.source("in", source).to(look).key_by(user).to(over_time)
    application = wallaroo.build_application(
        "app", pipeline.to_sink(wallaroo.TCPSinkConfig("h", "1", encode))
    )

    again = wallaroo.deserialize(wallaroo.serialize(application))

    assert again.name == "app"
    assert again.pipeline.origin == application.pipeline.origin
    assert again.pipeline.steps[0] == application.pipeline.steps[0]
    assert again.pipeline.steps[2].stage.range == over_time.range
