"""The topics of TCP and generator sources: how wide they are, how long they keep, what is deleted."""

import socket

import pytest
from confluent_kafka import TopicPartition

from tests import samples
from tests.samples import generator_source, look, tcp_source, user
from wallaroo.connectors.tcp.ingest import check_ingests
from wallaroo.errors import SettingsError
from wallaroo.kafka.topic_config import EVERY_TIME
from wallaroo.kafka.topics import plan
from wallaroo.service.own_topics import only_readers, purgeable
from wallaroo.settings import Settings
from wallaroo.task.position import encode_metadata

ONE_ID, ANOTHER_ID = "A" * 21 + "1", "A" * 21 + "2"
FOR_EVER = {"retention.ms": "-1", **EVERY_TIME}


def tcp(port=0, **options):
    return tcp_source("texts", port, **options)


def compiled(pipeline):
    return samples.compiled(pipeline.key_by(user).to(look), application_id="app")


def planned(pipeline, existing=None):
    return {p.name: p for p in plan(compiled(pipeline), existing or {}, 6)}


def test_the_topic_of_a_tcp_source_has_the_usual_partitions_and_keeps_until_it_is_read():
    plans = planned(tcp())
    ingest = plans["app-texts-ingest"]
    assert (ingest.purpose, ingest.partitions, ingest.config) == ("ingest", 6, FOR_EVER)
    assert plans["app-user-repartition"].partitions == 6


def test_a_topic_that_exists_has_the_partitions_it_has_and_what_follows_is_as_wide():
    plans = planned(tcp(), {"app-texts-ingest": 9})
    assert plans["app-texts-ingest"].partitions == 9
    assert plans["app-user-repartition"].partitions == 9


def test_a_generator_has_one_partition_and_what_follows_has_the_usual_ones():
    plans = planned(generator_source())
    assert (plans["app-numbers-ingest"].partitions, plans["app-numbers-ingest"].config) == (1, FOR_EVER)
    assert plans["app-user-repartition"].partitions == 6


def test_the_position_of_a_generator_is_one_partition_that_is_compacted():
    positions = planned(generator_source())["app-numbers-generator"]
    assert (positions.purpose, positions.partitions) == ("generator", 1)
    assert positions.config["cleanup.policy"] == "compact"


def test_what_is_read_is_deleted_from_ingest_topics_and_never_a_position():
    assert only_readers(compiled(tcp().merge(generator_source()))) == {
        "app-texts-ingest": "app-texts",
        "app-numbers-ingest": "app-numbers",
        "app-user-repartition": "app-user",
    }


def test_payloads_larger_than_a_record_may_be_are_refused_before_the_start():
    (ingest,) = compiled(tcp(max_size=1_000_000)).ingests
    check_ingests([ingest], Settings())
    with pytest.raises(
        SettingsError, match=r"source 'texts' takes payloads of up to 1000000 bytes.*at least 1000512"
    ):
        check_ingests([ingest], Settings(max_message_bytes=1_000_511))


def test_a_port_that_is_taken_is_refused_before_the_start_unless_nobody_is_to_listen():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        check_ingests(compiled(tcp(port, valid=False)).ingests, Settings())
        with pytest.raises(SettingsError, match=f"source 'texts' cannot listen on 127.0.0.1:{port}"):
            check_ingests(compiled(tcp(port)).ingests, Settings())


def test_a_port_that_is_shared_is_worth_a_warning(caplog):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        check_ingests(compiled(tcp(other.getsockname()[1])).ingests, Settings())
    assert [(line.message, line.source) for line in caplog.records] == [("port shared", "texts")]


@pytest.mark.parametrize(
    ("recorded", "now", "deletes"),
    [
        (ONE_ID, ONE_ID, True),
        (ONE_ID, ANOTHER_ID, False),
        (ONE_ID, None, False),
        (None, ONE_ID, False),
        (None, None, True),
    ],
)
def test_only_below_an_offset_of_the_topic_that_is_there_records_are_deleted(recorded, now, deletes):
    metadata = encode_metadata("hop", (), {} if recorded is None else {"hop": recorded})
    offset, none = TopicPartition("hop", 1, 5, metadata), TopicPartition("hop", 2, -1001, metadata)
    assert purgeable([offset, none], now) == [offset][: int(deletes)]
