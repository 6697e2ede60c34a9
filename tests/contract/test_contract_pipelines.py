"""Contract 1.6: pipelines are values, and what they record."""

import dataclasses

import pytest

import wallaroo
from tests.samples import TCP_SINK, decode, encode, look, total, user
from wallaroo.api.steps import Collect, KeyBy, Merge, Source, To, ToSinks


def config(name):
    return wallaroo.TCPSourceConfig(name, "localhost", "7010", decode)


def start(name="in"):
    return wallaroo.source(name, config(name))


def test_a_source_begins_a_pipeline():
    assert isinstance(start(), wallaroo.Pipeline)
    assert start() == wallaroo.Pipeline.from_source("in", config("in"))


def test_the_name_given_to_source_is_the_one_that_counts():
    assert wallaroo.source("outer", config("inner")).origin == Source("outer", config("inner"))


def test_steps_are_recorded_in_order():
    pipeline = start().to(look).key_by(user).to(total).collect().to_sink(TCP_SINK)
    assert pipeline.origin == Source("in", config("in"))
    assert pipeline.steps == (To(look), KeyBy(user), To(total), Collect(), ToSinks((TCP_SINK,)))


@pytest.mark.parametrize(
    "add",
    [
        lambda pipeline: pipeline.to(look),
        lambda pipeline: pipeline.key_by(user),
        lambda pipeline: pipeline.collect(),
        lambda pipeline: pipeline.merge(start("other")),
        lambda pipeline: pipeline.to_sink(TCP_SINK),
        lambda pipeline: pipeline.to_sinks([TCP_SINK]),
        lambda pipeline: pipeline.clone(),
    ],
)
def test_every_method_returns_a_new_pipeline(add):
    pipeline = start()
    assert add(pipeline) is not pipeline
    assert pipeline == start()


def test_a_pipeline_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        start().steps = ()


def test_a_clone_is_equal_and_goes_its_own_way():
    pipeline = start().to(look)
    clone = pipeline.clone()
    assert clone == pipeline
    assert clone.to(total) != pipeline


def test_a_merge_has_two_sides():
    left, right = start("left").to(look), start("right")
    assert left.merge(right).origin == Merge(left, right)
    assert left.merge(right).steps == ()


def test_merges_chain():
    pipeline = start("a").merge(start("b")).merge(start("c")).to_sink(TCP_SINK)
    assert wallaroo.build_application("app", pipeline).pipeline is pipeline


def test_two_keyed_pipelines_merge():
    pipeline = start("a").key_by(user).merge(start("b").collect()).to(total)
    assert pipeline.steps == (To(total),)


def test_several_sinks_are_kept_in_order():
    other = wallaroo.TCPSinkConfig("localhost", "7003", encode)
    assert start().to_sinks([TCP_SINK, other]).steps == (ToSinks((TCP_SINK, other)),)


def test_one_sink_is_a_list_of_one():
    assert start().to_sink(TCP_SINK) == start().to_sinks([TCP_SINK])


def test_a_pipeline_is_closed_by_its_sinks():
    assert not start().to(look).closed
    assert start().to(look).to_sink(TCP_SINK).closed


def test_a_source_may_go_straight_to_a_sink():
    application = wallaroo.build_application("app", start().to_sink(TCP_SINK))
    assert application == wallaroo.Application("app", start().to_sink(TCP_SINK))


def test_a_source_name_may_contain_spaces():
    assert start("Split and Count").origin.name == "Split and Count"


def test_a_pipeline_value_may_be_used_twice():
    pipeline = start().to(look)
    assert pipeline.to(total).steps != pipeline.key_by(user).steps


def test_a_long_pipeline_of_merges_is_no_problem():
    pipeline = start("0")
    for number in range(1, 60):
        pipeline = pipeline.merge(start(str(number)))
    assert pipeline.to_sink(TCP_SINK).closed
