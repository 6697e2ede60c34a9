"""Where results go: topics, partitions, keys; and what encoders and extractors may return."""

import re
from zlib import crc32

import pytest

from tests.unit.task.fakes import PARTITIONS, PICKLES, record
from wallaroo.errors import RecordError
from wallaroo.record import ANY_PARTITION
from wallaroo.serde.object_codec import message_codec
from wallaroo.task.context import TaskContext
from wallaroo.task.keys import partition_of
from wallaroo.task.repartition import repartition_writers
from wallaroo.task.steps import sink
from wallaroo.topology.model import RemoteTopic, Repartition, ToOutbox, ToTopic


def sent(end, value, key=b"own"):
    """The one output that an end makes of a value, without the two that are always None."""
    outputs = []
    writers = repartition_writers([end], outputs.append, PARTITIONS, {})
    context = TaskContext(outputs.append, {}, 1, PARTITIONS, message_codec(PICKLES), writers)
    sink(end, context)(value, key, record(timestamp_ms=7))
    for writer in writers.values():
        writer.flush()
    assert all(output[4:7] == (None, None, 7) for output in outputs)
    return [output[:4] for output in outputs]


def to_topic(made, **rest):
    return sent(ToTopic("encode", "out", lambda _value: made), "value", **rest)


def to_outbox(made, **rest):
    return sent(ToOutbox("encode", "box", lambda _value: made), "value", **rest)


def to_remote_topic(made, key=b"own"):
    """The output, and the header that chooses a partition over there, if any."""
    outputs = []
    context = TaskContext(outputs.append, {}, 1, PARTITIONS, message_codec(PICKLES))
    remote = RemoteTopic("far", (("k2", "9092"),))
    end = ToOutbox("encode", "box", lambda _value: made, remote)
    sink(end, context)("value", key, record(timestamp_ms=7))
    assert all(output[4:7] == (None, None, 7) for output in outputs)
    return [(output[:4], *output[7:]) for output in outputs]


def refused(text):
    return pytest.raises(RecordError, match=re.escape(text))


@pytest.mark.parametrize(
    ("made", "output"),
    [
        (b"bytes", ("out", b"bytes", b"own", ANY_PARTITION)),
        ("größe", ("out", "größe".encode(), b"own", ANY_PARTITION)),
        (b"", ("out", b"", b"own", ANY_PARTITION)),
        ((b"v", b"k"), ("out", b"v", b"k", ANY_PARTITION)),
        (("v", "k"), ("out", b"v", b"k", ANY_PARTITION)),
        (("v", None), ("out", b"v", None, ANY_PARTITION)),
        ((None, "k"), ("out", None, b"k", ANY_PARTITION)),
        (("v", "k", 2), ("out", b"v", b"k", 2)),
        (("v", "k", 0), ("out", b"v", b"k", 0)),
        (("v", "k", None), ("out", b"v", b"k", ANY_PARTITION)),
        (("v", None, 1), ("out", b"v", None, 1)),
    ],
)
def test_an_encoder_may_return_a_value_its_key_and_its_partition(made, output):
    assert to_topic(made) == [output]


def test_an_encoder_that_returns_none_writes_nothing():
    assert to_topic(None) == to_outbox(None) == []


@pytest.mark.parametrize("made", [7, 1.5, [], {}, bytearray(b"x"), object])
def test_an_encoder_that_returns_anything_else_is_refused(made):
    with refused(f"the encoder 'encode' returned a {type(made).__name__} as value; return bytes or str"):
        to_topic(made)


@pytest.mark.parametrize("made", [(), ("v",), ("v", 7), ("v", "k", "0"), ("v", "k", 0, 0), ("v", "k", 1.0)])
def test_an_encoder_that_returns_a_strange_tuple_is_refused(made):
    with pytest.raises(RecordError, match=r"the encoder 'encode' returned .* return bytes"):
        to_topic(made)


@pytest.mark.parametrize("partition", [3, 99, -2])
def test_a_partition_that_the_topic_does_not_have_is_refused(partition):
    text = f"the encoder 'encode' chose partition {partition} of out, which has 3; return one it has, or None"
    with refused(text):
        to_topic(("v", "k", partition))


@pytest.mark.parametrize(("made", "value"), [(b"line", b"line"), ("größe", "größe".encode())])
def test_an_outbox_keeps_the_key_and_its_order(made, value):
    assert to_outbox(made) == [("box", value, b"own", crc32(b"own") % 2)]


def test_an_outbox_record_without_a_key_stays_in_the_order_of_its_input_partition():
    assert to_outbox(b"line", key=None) == [("box", b"line", None, 1)]


def test_a_tcp_encoder_makes_no_keys():
    with refused("the encoder 'encode' returned a tuple as value; return bytes or str"):
        to_outbox((b"v", b"k"))


@pytest.mark.parametrize(
    ("key", "canonical"),
    [
        ("rex", b"rex"),
        ("größe", "größe".encode()),
        (b"\xff", b"\xff"),
        (7, b"7"),
        (-(10**30), b"-1" + b"0" * 30),
        ("", b""),
    ],
)
def test_a_key_decides_about_the_partition(key, canonical):
    made = sent(Repartition("user", "repartition", lambda _value: key), "value")
    assert made == [("repartition", b"1Svalue", canonical, crc32(canonical) % 5)]


@pytest.mark.parametrize("key", [None, 1.5, True, ("a",), ["a"], bytearray(b"a")])
def test_a_key_of_another_type_is_refused(key):
    text = f"the key extractor 'user' returned {key!r}, a {type(key).__name__}; return a str, bytes or an int"
    with refused(text):
        sent(Repartition("user", "repartition", lambda _value: key), "value")


def test_collected_records_share_one_key():
    made = sent(Repartition("collect", "repartition", None, b"collect"), "value")
    assert made == [("repartition", b"1Svalue", b"collect", crc32(b"collect") % 5)]


def test_a_record_may_keep_the_key_it_has():
    made = sent(Repartition("user", "repartition"), "value")
    assert made == [("repartition", b"1Svalue", b"own", crc32(b"own") % 5)]


def test_a_record_without_a_key_cannot_keep_it():
    with refused("a record without a key cannot go to repartition"):
        sent(Repartition("user", "repartition"), "value", key=None)


def test_keys_are_spread_over_all_partitions():
    assert {partition_of(b"%d" % n, 5) for n in range(100)} == set(range(5))


def in_box(value, key, *headers):
    partition = 1 % PARTITIONS["box"] if key is None else partition_of(key, PARTITIONS["box"])
    return [(("box", value, key, partition), *headers)]


@pytest.mark.parametrize(
    ("made", "waiting"),
    [
        ("größe", in_box("größe".encode(), b"own")),
        (b"", in_box(b"", b"own")),
        (("v", "k"), in_box(b"v", b"k")),
        (("v", None), in_box(b"v", None)),
        ((None, "k"), in_box(None, b"k")),
        (("v", "k", None), in_box(b"v", b"k")),
        (("v", "k", 2), in_box(b"v", b"k", [("partition", b"2")])),
        (("v", None, 0), in_box(b"v", None, [("partition", b"0")])),
        (("v", "k", 99), in_box(b"v", b"k", [("partition", b"99")])),
        (None, []),
    ],
)
def test_what_is_for_another_cluster_waits_with_all_that_its_encoder_chose(made, waiting):
    assert to_remote_topic(made) == waiting


@pytest.mark.parametrize("partition", [-2, 2**31])
def test_a_partition_that_no_topic_has_is_refused_before_it_waits(partition):
    with refused(f"chose partition {partition} of far; return one it has, or None"):
        to_remote_topic(("v", "k", partition))
