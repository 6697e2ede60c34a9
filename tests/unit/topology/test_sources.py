"""TCP and generator sources, compiled: what is read, what writes it, and what may not be."""

import json

import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict

import wallaroo
from tests import samples
from tests.samples import Numbers, decode_text, generator_source, tcp_source
from wallaroo.errors import TopologyError
from wallaroo.topology.describe import describe
from wallaroo.topology.model import Generator, Ingest


class Plain(TypedDict):
    number: int


class Fields(msgspec.Struct):
    number: int


class Box(pydantic.BaseModel):
    number: int


NUMBERS = Numbers()


def generator(name):
    return generator_source(name, NUMBERS)


def compiled(pipeline):
    return samples.compiled(pipeline, application_id="my-app")


def test_a_tcp_source_is_a_port_that_writes_a_topic_and_a_sub_topology_that_reads_it():
    topology = compiled(tcp_source("Split and Count", parallelism=3, max_size=99))
    topic, length = "my-app-split-and-count-ingest", decode_text.payload_length
    assert topology.ingests == (
        Ingest(
            "split-and-count-ingest",
            "Split and Count",
            topic,
            "127.0.0.1",
            7010,
            2,
            length,
            99,
            3,
            listens=True,
        ),
    )
    (sub,) = topology.sub_topologies
    assert (sub.group, sub.input.topic, sub.input.decode) == (
        "my-app-split-and-count",
        topic,
        decode_text.decode,
    )
    assert (sub.input.is_source, sub.input.is_internal, sub.input.has_internal_format) == (True, True, False)


def test_a_generator_source_is_a_generator_and_a_sub_topology_that_reads_our_own_format():
    topology = compiled(generator("numbers"))
    group = "my-app-numbers-generator"
    assert topology.generators == (
        Generator("numbers-generator", "numbers", group, "my-app-numbers-ingest", group, group, NUMBERS),
    )
    (sub,) = topology.sub_topologies
    assert sub.input.topic == "my-app-numbers-ingest"
    assert (sub.input.is_source, sub.input.is_internal, sub.input.has_internal_format) == (True, True, True)


def test_a_generator_s_topic_is_a_source_and_no_repartition_topic():
    topology = compiled(generator("numbers").collect().to(samples.look))
    assert [source.topic for source in topology.sources] == ["my-app-numbers-ingest"]
    assert topology.repartitions == ("my-app-collect-repartition",)
    assert topology.external_sources == ()


def test_a_source_that_is_not_valid_does_not_listen():
    (ingest,) = compiled(tcp_source("texts", valid=False)).ingests
    assert not ingest.listens


def test_a_generator_may_not_take_the_name_of_another_source_s_generator():
    with pytest.raises(TopologyError, match="numbers-generator"):
        compiled(generator("numbers").merge(generator("numbers generator")))


@pytest.mark.parametrize("other", ["127.0.0.1", "0.0.0.0", "::"])  # noqa: S104 - nobody listens here
def test_two_sources_on_one_port_are_refused(other):
    with pytest.raises(TopologyError, match=r"'one' and 'two' would both listen on 127\.0\.0\.1:7010; give"):
        compiled(tcp_source("one").merge(tcp_source("two", host=other)))


@pytest.mark.parametrize(
    "other",
    [{"port": 7011}, {"host": "10.0.0.1"}, {"valid": False}],
    ids=["another port", "another address", "not listening"],
)
def test_two_sources_on_two_addresses_are_not(other):
    assert len(compiled(tcp_source("one").merge(tcp_source("two", **other))).ingests) == 2


def test_two_sources_may_leave_their_ports_to_the_system():
    assert len(compiled(tcp_source("one", port=0).merge(tcp_source("two", port=0))).ingests) == 2


def test_a_description_shows_where_messages_come_from():
    topology = compiled(tcp_source("texts").merge(generator("numbers")).merge(tcp_source("off", valid=False)))
    text, mermaid = describe(topology), describe(topology, "mermaid")
    assert "  Ingest texts-ingest\n    listens  tcp 127.0.0.1:7010\n    writes   my-app-texts-ingest" in text
    assert "  Ingest off-ingest\n    listens  nowhere\n" in text
    assert "  Generator numbers-generator\n    group    my-app-numbers-generator\n" in text
    assert '["tcp 127.0.0.1:7010"] --> t_my_2d_app_2d_texts_2d_ingest' in mermaid
    assert '["numbers"] --> t_my_2d_app_2d_numbers_2d_ingest' in mermaid
    plain = json.loads(describe(topology, "json"))
    assert plain["ingests"][0] == {
        "name": "texts-ingest",
        "listens": "tcp 127.0.0.1:7010",
        "writes": "my-app-texts-ingest",
    }
    assert plain["generators"][0]["positions"] == "my-app-numbers-generator"


def of_kafka(decoder):
    return wallaroo.KafkaSourceConfig("boxes", decoder=decoder)


def of_tcp(decoder):
    return wallaroo.TCPSourceConfig("boxes", "127.0.0.1", 7010, decoder)


def read_from(config):
    [sub] = compiled(wallaroo.source("boxes", config)).sub_topologies
    return sub.input


@pytest.mark.parametrize("config", [of_kafka, of_tcp])
@pytest.mark.parametrize(
    ("decoder", "by_slice"),
    [
        (wallaroo.json_decoder(Box), True),
        (wallaroo.json_decoder(Plain), True),
        (wallaroo.json_decoder(Fields), True),
        (decode_text, False),
    ],
    ids=["model", "dictionary", "struct", "own"],
)
def test_only_a_decoder_of_ours_decodes_a_slice_ahead(config, decoder, by_slice):
    source = read_from(config(decoder))
    assert source.decode is decoder.decode
    assert source.by_slice is by_slice
