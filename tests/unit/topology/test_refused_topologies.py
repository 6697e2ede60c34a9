"""Pipelines that cannot run on a cluster, and what the refusals say."""

import re

import pytest

import wallaroo
from tests.samples import compiled, decode, encode, look, source, total, user
from wallaroo.errors import TopologyError, WallarooParameterError


def refused(text):
    return pytest.raises(TopologyError, match=re.escape(text))


def named(kind, name):
    """A stage of the given kind with the given name."""
    if kind == "state":
        return wallaroo.state_computation(name, list)(lambda message, _state: message)
    return wallaroo.computation(name)(lambda message: message)


def test_two_sources_with_one_slug():
    with refused("the source 'In' and the source 'in' would both be called 'in' on the cluster; rename one"):
        compiled(source("in").merge(source("In")).to(look))


def test_two_states_with_one_slug():
    pipeline = source().key_by(user).to(named("state", "my total")).to(named("state", "my-total"))
    with refused(
        "the state of 'my-total' and the state of 'my total' would both be called 'my-total-changelog'"
    ):
        compiled(pipeline)


def test_three_equal_key_changes_that_no_name_tells_apart():
    first, second, third = (source(name).key_by(user).to(look) for name in "abc")
    with refused(
        "the key change between 'c' and 'look' and the key change between 'b' and 'look' would both"
    ):
        compiled(first.merge(second).merge(third).to(total))


def test_a_delivery_and_a_source_with_one_group():
    with refused("would both be called 'alerts-delivery' on the cluster"):
        compiled(source("alerts delivery"), wallaroo.TCPSinkConfig("localhost", 7010, encode, name="alerts"))


def test_two_outboxes_with_one_name():
    sinks = [wallaroo.TCPSinkConfig("localhost", 7010, encode) for _ in range(3)]
    with refused("would both be called 'encode-localhost-7010-outbox'"):
        compiled(source(), *sinks)


@pytest.mark.parametrize("name", ["日本", "---", "!", "ß"])
def test_a_name_without_a_letter_that_kafka_knows(name):
    with refused(
        f"the name {name!r} has no letter or digit of a-z, 0-9 to make a topic name of; give it one"
    ):
        compiled(source().key_by(user).to(named("state", name)))


def test_a_stateless_stage_may_have_any_name():
    assert compiled(source().to(named("stateless", "日本")))


def test_a_name_that_is_too_long_for_kafka():
    with refused("characters; Kafka allows 249: shorten the application id or the stage's name"):
        compiled(source().key_by(user).to(named("state", "x" * 240)))


def test_a_name_that_just_fits():
    topology = compiled(source().key_by(user).to(named("state", "x" * 230)))
    assert len(topology.stores[0].changelog) == 249


def test_state_behind_a_merge_of_a_keyed_and_an_unkeyed_branch():
    pipeline = source("a").key_by(user).to(look).merge(source("b")).to(total)
    with refused(
        "'total' keeps state, and its input has a key on the branch from 'user' but none on the branch"
    ):
        compiled(pipeline)


def test_a_cli_parser_without_its_topic():
    read = wallaroo.source("in", wallaroo.DefaultKafkaSourceCLIParser(decode))
    with pytest.raises(WallarooParameterError, match="--kafka_source_topic"):
        compiled(read)
