"""What sources, merges, sinks and `build_application` refuse, and how they say so."""

import pytest

import wallaroo
from tests.samples import (
    TCP_SINK,
    Numbers,
    decode,
    encode,
    look,
    plain,
    source,
    total,
    user,
    windows,
)


def refused(match):
    return pytest.raises(wallaroo.WallarooParameterError, match=match)


@pytest.mark.parametrize("name", ["", "  ", None, 7, b"transactions"])
def test_a_source_needs_a_name(name):
    with refused("a source needs a name"):
        wallaroo.source(name, wallaroo.KafkaSourceConfig("transactions", decoder=decode))


@pytest.mark.parametrize("config", [None, "transactions", TCP_SINK, ("kafka", "transactions")])
def test_a_source_reads_from_a_source_configuration(config):
    with refused("source 'transactions' cannot read from .* give it a TCPSourceConfig"):
        wallaroo.source("transactions", config)


@pytest.mark.parametrize(
    "add",
    [
        lambda pipeline: pipeline.to(look),
        lambda pipeline: pipeline.key_by(user),
        lambda pipeline: pipeline.collect(),
        lambda pipeline: pipeline.to_sink(TCP_SINK),
        lambda pipeline: pipeline.to_sinks([TCP_SINK]),
        lambda pipeline: pipeline.merge(source("other")),
    ],
)
def test_nothing_comes_after_a_sink(add):
    finished = source().to_sink(TCP_SINK)
    with refused("You can't add stages after to_sink/s"):
        add(finished)


def test_a_finished_pipeline_cannot_be_merged_into_another():
    finished = source("finished").to_sink(TCP_SINK)
    with refused("You can't merge with a terminated pipeline: the pipeline of 'finished'"):
        source().merge(finished)


@pytest.mark.parametrize("other", [None, "transactions", look])
def test_only_a_pipeline_can_be_merged(other):
    with refused("the argument of .merge cannot be"):
        source().merge(other)


def test_a_pipeline_cannot_be_merged_with_itself():
    pipeline = source()
    with refused("source 'in' is on both sides; a pipeline cannot be merged with itself"):
        pipeline.merge(pipeline)


def test_two_branches_of_one_source_cannot_be_merged():
    pipeline = source()
    with refused("source 'in' is on both sides"):
        pipeline.to(look).merge(pipeline.to(total))


def test_two_sources_of_one_name_cannot_be_merged():
    generated = wallaroo.source("in", wallaroo.GenSourceConfig("in", Numbers()))
    with refused("source 'in' is on both sides"):
        source().merge(generated)


def test_a_source_deep_inside_a_merge_is_found_again():
    pipeline = source("a").merge(source("b")).merge(source("c"))
    with refused("source 'b' is on both sides"):
        pipeline.merge(source("d").merge(source("b")))


@pytest.mark.parametrize(
    "change", [lambda pipeline: pipeline.key_by(user), lambda pipeline: pipeline.collect()]
)
def test_a_fresh_key_on_the_left_alone_cannot_be_merged(change):
    with refused("A pipeline ending with key_by can only be merged with another"):
        change(source("a")).merge(source("b"))


@pytest.mark.parametrize(
    "change", [lambda pipeline: pipeline.key_by(user), lambda pipeline: pipeline.collect()]
)
def test_a_fresh_key_on_the_right_alone_cannot_be_merged(change):
    with refused("A pipeline ending with key_by can only be merged with another"):
        source("a").merge(change(source("b")))


def test_a_merge_of_fresh_keys_is_a_fresh_key():
    keyed = source("a").key_by(user).merge(source("b").key_by(user))
    with refused("A pipeline ending with key_by can only be merged with another"):
        keyed.merge(source("c"))


def test_different_stages_of_one_name_cannot_meet():
    namesake = wallaroo.computation("look")(plain)
    with refused("two different stages are named 'look'"):
        source("a").to(look).merge(source("b").to(namesake))


@pytest.mark.parametrize("stage", [total, windows()])
def test_a_stateful_stage_cannot_be_on_both_sides(stage):
    with refused("keeps state and is on both sides"):
        source("a").to(stage).merge(source("b").to(stage))


def test_a_stateless_stage_may_be_on_both_sides():
    pipeline = source("a").to(look).merge(source("b").to(look))
    assert pipeline.to_sink(TCP_SINK).closed


def test_no_sinks_are_too_few():
    with refused("you must specify at least one sink"):
        source().to_sinks([])


@pytest.mark.parametrize("sinks", [TCP_SINK, None, "sink"])
def test_to_sinks_takes_a_list(sinks):
    with refused("give it a list of sinks"):
        source().to_sinks(sinks)


@pytest.mark.parametrize("sink", [None, encode, look, wallaroo.KafkaSourceConfig("t", decoder=decode)])
def test_only_a_sink_configuration_is_a_sink(sink):
    with refused("a sink is a TCPSinkConfig"):
        source().to_sink(sink)


def test_one_wrong_sink_among_several_is_refused():
    with refused("a sink is a TCPSinkConfig"):
        source().to_sinks([TCP_SINK, encode])


def test_an_application_must_end_in_a_sink():
    with refused("An application must end with to_sink/s.*the pipeline of 'in' after stage 'look'"):
        wallaroo.build_application("app", source().to(look))


@pytest.mark.parametrize("pipeline", [None, "pipeline", TCP_SINK])
def test_an_application_is_built_of_a_pipeline(pipeline):
    with refused("application 'app': the pipeline cannot be"):
        wallaroo.build_application("app", pipeline)


@pytest.mark.parametrize("name", ["", " ", None, 7])
def test_an_application_needs_a_name(name):
    with refused("an application needs a name"):
        wallaroo.build_application(name, source().to_sink(TCP_SINK))
