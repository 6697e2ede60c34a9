"""What an encoder may say of an output record with `wallaroo.Output`, and what is refused."""

import pytest

import wallaroo
from tests.unit.task.fakes import PARTITIONS, PICKLES, record
from wallaroo.errors import RecordError
from wallaroo.record import ANY_PARTITION, Partition
from wallaroo.serde.object_codec import message_codec
from wallaroo.task.context import TaskContext
from wallaroo.task.origin import OffsetOrigins
from wallaroo.task.steps import sink
from wallaroo.topology.model import Input, RemoteTopic, ToOutbox, ToTopic

FAR = RemoteTopic("far", (("k2", "9092"),))
CARRIED = (("in", ("trace", "both")),)
SENT = [("trace", b"t"), ("other", b"o"), ("both", b"from the source")]


def written(end, headers=()):
    """The one output that an end makes, whole."""
    outputs = []
    context = TaskContext(
        outputs.append,
        {},
        1,
        PARTITIONS,
        message_codec(PICKLES),
        origins=OffsetOrigins(Partition("in", 1)),
        input=Input("source", "in", bytes.decode),
    )
    sink(end, context)("value", b"own", record(timestamp_ms=7, headers=headers))
    (output,) = outputs
    return output


def to_topic(made, wanted=(), headers=()):
    return written(ToTopic("encode", "out", lambda _value: made, headers=wanted), headers)


def to_remote_topic(made, wanted=(), headers=()):
    return written(ToOutbox("encode", "box", lambda _value: made, FAR, headers=wanted), headers)


def test_a_value_alone_is_written_as_without_output():
    assert to_topic(wallaroo.Output("größe")) == to_topic("größe")


def test_an_output_can_say_everything():
    made = wallaroo.Output(
        b"v", key="k", headers=[("a", b"1"), ("a", None)], partition=2, timestamp=3_999_999
    )
    assert to_topic(made) == ("out", b"v", b"k", 2, None, None, 3, [("a", b"1"), ("a", None)])


def test_a_mapping_of_headers_with_text_is_written_as_utf_8():
    assert to_topic(wallaroo.Output(b"v", headers={"a": "ß"}))[7] == [("a", "ß".encode())]


def test_a_tombstone_keeps_the_key_of_its_message():
    assert to_topic(wallaroo.Output(None))[:4] == ("out", None, b"own", ANY_PARTITION)


def test_a_timestamp_of_nothing_is_not_taken_for_none():
    assert to_topic(wallaroo.Output(b"v", timestamp=0))[6] == 1


@pytest.mark.parametrize("made", ["v", b"v", ("v", "own"), wallaroo.Output("v")])
@pytest.mark.parametrize("write", [to_topic, to_remote_topic])
def test_carried_headers_are_those_that_are_named(write, made):
    assert written_headers(write(made, CARRIED, SENT)) == [("trace", b"t"), ("both", b"from the source")]


@pytest.mark.parametrize("write", [to_topic, to_remote_topic])
def test_a_header_of_an_output_replaces_a_carried_one_of_its_name(write):
    made = wallaroo.Output("v", headers={"both": b"own", "new": b"n"})
    headers = written_headers(write(made, CARRIED, SENT))
    assert headers == [("trace", b"t"), ("both", b"own"), ("new", b"n")]


def written_headers(output):
    """Those that the record has in the end: behind that of ours, in an outbox."""
    return output[7] if output[0] == "out" else output[7][1:]


def test_an_outbox_of_another_cluster_keeps_headers_apart_from_its_own():
    made = wallaroo.Output("v", key="k", headers={"partition": b"user's"}, partition=9, timestamp=5_000_000)
    output = to_remote_topic(made)
    assert output[1:3] + output[6:] == (b"v", b"k", 5, [("partition", b"9"), ("partition", b"user's")])


def test_an_outbox_record_without_headers_is_as_before():
    assert len(to_remote_topic(wallaroo.Output("v"))) == 7
    assert to_remote_topic(("v", "k", 3))[7] == [("partition", b"3")]


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (wallaroo.Output(7), "returned a int as value"),
        (wallaroo.Output(b"v", key=7), "return bytes, str"),
        (wallaroo.Output(b"v", partition=99), "chose partition 99 of out, which has 3"),
        (wallaroo.Output(b"v", partition="1"), "return bytes, str"),
        (wallaroo.Output(b"v", timestamp=-1), "give it whole nanoseconds"),
        (wallaroo.Output(b"v", timestamp=2**63), "give it whole nanoseconds"),
        (wallaroo.Output(b"v", timestamp=1.5), "give it whole nanoseconds"),
        (wallaroo.Output(b"v", headers="ab"), "give it a mapping or a list"),
        (wallaroo.Output(b"v", headers=[("a",)]), "give it a mapping or a list"),
        (wallaroo.Output(b"v", headers=[("a", 7)]), "give it a mapping or a list"),
        (wallaroo.Output(b"v", headers=[(b"a", b"")]), "give it a mapping or a list"),
        (wallaroo.Output(b"v", headers=7), "give it a mapping or a list"),
    ],
)
def test_what_is_malformed_is_refused(made, text):
    with pytest.raises(RecordError, match=text):
        to_topic(made)


def to_tcp(made):
    return written(ToOutbox("encode", "box", lambda _value: made))


def test_a_tcp_sink_writes_a_value():
    assert to_tcp(wallaroo.Output("v")) == to_tcp("v")


@pytest.mark.parametrize(
    "made",
    [
        wallaroo.Output(None),
        wallaroo.Output("v", key="k"),
        wallaroo.Output("v", headers={"a": b""}),
        wallaroo.Output("v", partition=0),
        wallaroo.Output("v", timestamp=0),
    ],
)
def test_a_tcp_sink_takes_nothing_else(made):
    with pytest.raises(RecordError, match="for a TCP sink, which writes a value and nothing else"):
        to_tcp(made)
