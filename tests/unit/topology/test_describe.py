"""A topology as text, as JSON and as a diagram."""

import json

import pytest

from tests.samples import KAFKA_SINK, TCP_SINK, compiled, look, source, split, total, user
from wallaroo.topology.describe import describe

PIPELINE = source("in", partitioned_by=None).to(look).key_by(user).to(total).to(split)


def topology():
    return compiled(PIPELINE, KAFKA_SINK, TCP_SINK)


def test_as_text():
    assert (
        describe(topology())
        == """\
Topology some-app (Some App)
  Sub-topology in
    group    some-app-in
    reads    in-topic
    stage    look (computation)
    keeps    its positions in some-app-in-positions-changelog
    writes   some-app-user-repartition (repartition, by user)
  Sub-topology user
    group    some-app-user
    reads    some-app-user-repartition (internal)
    stage    total (state computation), state in some-app-total-changelog
    stage    split (computation, multi)
    writes   out (topic, by encode)
    writes   some-app-encode-outbox (outbox, by encode)
  Delivery encode
    group    some-app-encode-delivery
    reads    some-app-encode-outbox (internal)
    sends    tcp localhost:7010
  Dead letters some-app-dlq
"""
    )


def test_as_json():
    plain = json.loads(describe(topology(), "json"))
    assert (plain["application"], plain["application_id"]) == ("Some App", "some-app")
    assert plain["sub_topologies"][1] == {
        "name": "user",
        "group": "some-app-user",
        "reads": {"topic": "some-app-user-repartition", "internal": True},
        "stages": [
            {"name": "total", "kind": "state computation"},
            {"name": "split", "kind": "computation, multi"},
        ],
        "stores": [
            {
                "name": "total",
                "changelog": "some-app-total-changelog",
                "stage": "total",
                "layout": "states",
            }
        ],
        "positions": None,
        "writes": [
            {"topic": "out", "kind": "topic", "by": "encode"},
            {"topic": "some-app-encode-outbox", "kind": "outbox", "by": "encode"},
        ],
    }
    assert plain["deliveries"] == [
        {
            "name": "encode",
            "group": "some-app-encode-delivery",
            "reads": "some-app-encode-outbox",
            "sends": "tcp localhost:7010",
        }
    ]
    assert plain["dead_letters"] == "some-app-dlq"
    before = plain["sub_topologies"][0]
    assert (before["stores"], before["positions"]) == ([], "some-app-in-positions-changelog")


def test_as_a_diagram_every_arrow_joins_what_is_drawn():
    lines = describe(topology(), "mermaid").splitlines()
    assert lines[0] == "flowchart LR"
    assert '  subgraph s1["some-app-user"]' in lines
    assert '    s1n0["total"]' in lines
    assert '  t_in_2d_topic(["in-topic"]) --> s0n0' in lines
    assert "  s1n0 --> s1n1" in lines
    assert '  s1n0 -.- t_some_2d_app_2d_total_2d_changelog[("some-app-total-changelog")]' in lines
    assert '  s1n1 --> t_out(["out"])' in lines


def test_a_sub_topology_without_stages_is_drawn_as_its_end():
    assert '    s1n0["encode"]' in describe(compiled(source().key_by(user)), "mermaid").splitlines()


def test_a_sub_topology_whose_source_is_partitioned_shows_the_check():
    text = describe(compiled(source(partitioned_by=user).key_by(user).to(total)))
    assert "    stage    user (key check)\n" in text


@pytest.mark.parametrize("format", ["text", "json", "mermaid"])
def test_every_form_ends_in_one_line_break(format):  # noqa: A002 - the option's name
    text = describe(topology(), format)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
