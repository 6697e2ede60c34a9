"""What sources, merges, sinks and `build_application` refuse, and how they say so."""

import pytest

import wallaroo
from tests.unit.api.samples import (
    Counter,
    double,
    kafka,
    line,
    plain,
    tcp_sink,
    text,
    total,
    user,
    windows,
)


def refused(match):
    return pytest.raises(wallaroo.WallarooParameterError, match=match)


@pytest.mark.parametrize("name", ["", "  ", None, 7, b"transactions"])
def test_a_source_needs_a_name(name):
    with refused("a source needs a name"):
        wallaroo.source(name, wallaroo.KafkaSourceConfig("transactions", decoder=text))


@pytest.mark.parametrize("config", [None, "transactions", tcp_sink(), ("kafka", "transactions")])
def test_a_source_reads_from_a_source_configuration(config):
    with refused("source 'transactions' cannot read from .* give it a TCPSourceConfig"):
        wallaroo.source("transactions", config)


@pytest.mark.parametrize(
    "add",
    [
        lambda pipeline: pipeline.to(double),
        lambda pipeline: pipeline.key_by(user),
        lambda pipeline: pipeline.collect(),
        lambda pipeline: pipeline.to_sink(tcp_sink()),
        lambda pipeline: pipeline.to_sinks([tcp_sink()]),
        lambda pipeline: pipeline.merge(kafka("other")),
    ],
)
def test_nothing_comes_after_a_sink(add):
    finished = kafka().to_sink(tcp_sink())
    with refused("You can't add stages after to_sink/s"):
        add(finished)


def test_a_finished_pipeline_cannot_be_merged_into_another():
    finished = kafka("finished").to_sink(tcp_sink())
    with refused("You can't merge with a terminated pipeline: the pipeline of 'finished'"):
        kafka().merge(finished)


@pytest.mark.parametrize("other", [None, "transactions", double])
def test_only_a_pipeline_can_be_merged(other):
    with refused("the argument of .merge cannot be"):
        kafka().merge(other)


def test_a_pipeline_cannot_be_merged_with_itself():
    pipeline = kafka()
    with refused("source 'transactions' is on both sides; a pipeline cannot be merged with itself"):
        pipeline.merge(pipeline)


def test_two_branches_of_one_source_cannot_be_merged():
    pipeline = kafka()
    with refused("source 'transactions' is on both sides"):
        pipeline.to(double).merge(pipeline.to(total))


def test_two_sources_of_one_name_cannot_be_merged():
    generated = wallaroo.source("transactions", wallaroo.GenSourceConfig("transactions", Counter()))
    with refused("source 'transactions' is on both sides"):
        kafka().merge(generated)


def test_a_source_deep_inside_a_merge_is_found_again():
    pipeline = kafka("a").merge(kafka("b")).merge(kafka("c"))
    with refused("source 'b' is on both sides"):
        pipeline.merge(kafka("d").merge(kafka("b")))


@pytest.mark.parametrize(
    "change", [lambda pipeline: pipeline.key_by(user), lambda pipeline: pipeline.collect()]
)
def test_a_fresh_key_on_the_left_alone_cannot_be_merged(change):
    with refused("A pipeline ending with key_by can only be merged with another"):
        change(kafka("a")).merge(kafka("b"))


@pytest.mark.parametrize(
    "change", [lambda pipeline: pipeline.key_by(user), lambda pipeline: pipeline.collect()]
)
def test_a_fresh_key_on_the_right_alone_cannot_be_merged(change):
    with refused("A pipeline ending with key_by can only be merged with another"):
        kafka("a").merge(change(kafka("b")))


def test_a_merge_of_fresh_keys_is_a_fresh_key():
    keyed = kafka("a").key_by(user).merge(kafka("b").key_by(user))
    with refused("A pipeline ending with key_by can only be merged with another"):
        keyed.merge(kafka("c"))


def test_different_stages_of_one_name_cannot_meet():
    namesake = wallaroo.computation("double")(plain)
    with refused("two different stages are named 'double'"):
        kafka("a").to(double).merge(kafka("b").to(namesake))


@pytest.mark.parametrize("stage", [total, windows()])
def test_a_stateful_stage_cannot_be_on_both_sides(stage):
    with refused("keeps state and is on both sides"):
        kafka("a").to(stage).merge(kafka("b").to(stage))


def test_a_stateless_stage_may_be_on_both_sides():
    pipeline = kafka("a").to(double).merge(kafka("b").to(double))
    assert pipeline.to_sink(tcp_sink()).closed


def test_no_sinks_are_too_few():
    with refused("you must specify at least one sink"):
        kafka().to_sinks([])


@pytest.mark.parametrize("sinks", [tcp_sink(), None, "sink"])
def test_to_sinks_takes_a_list(sinks):
    with refused("give it a list of sinks"):
        kafka().to_sinks(sinks)


@pytest.mark.parametrize("sink", [None, line, double, wallaroo.KafkaSourceConfig("t", decoder=text)])
def test_only_a_sink_configuration_is_a_sink(sink):
    with refused("a sink is a TCPSinkConfig"):
        kafka().to_sink(sink)


def test_one_wrong_sink_among_several_is_refused():
    with refused("a sink is a TCPSinkConfig"):
        kafka().to_sinks([tcp_sink(), line])


def test_an_application_must_end_in_a_sink():
    with refused(
        "An application must end with to_sink/s.*the pipeline of 'transactions' after stage 'double'"
    ):
        wallaroo.build_application("app", kafka().to(double))


@pytest.mark.parametrize("pipeline", [None, "pipeline", tcp_sink()])
def test_an_application_is_built_of_a_pipeline(pipeline):
    with refused("application 'app': the pipeline cannot be"):
        wallaroo.build_application("app", pipeline)


@pytest.mark.parametrize("name", ["", " ", None, 7])
def test_an_application_needs_a_name(name):
    with refused("an application needs a name"):
        wallaroo.build_application(name, kafka().to_sink(tcp_sink()))
