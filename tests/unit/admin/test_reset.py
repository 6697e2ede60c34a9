"""What a reset changes, by name, and the offsets that an operator gives."""

import pytest

import wallaroo
from tests.samples import Total, extract_user
from wallaroo.admin.reset import Goal, check_offsets, given_offsets, plan_reset
from wallaroo.errors import SettingsError
from wallaroo.task.position import OffsetMetadata, encode_reset
from wallaroo.task.remedies import Group
from wallaroo.task.start import Facts, Mismatch, compare, override
from wallaroo.topology.compile import compile_topology


class Numbers:
    def initial_value(self):
        return 0

    def apply(self, previous):
        return previous + 1


@wallaroo.decoder(header_length=4, length_fmt=">I")
def decode(data):
    return data


@wallaroo.encoder
def encode(message):
    return b"%r" % message


@wallaroo.state_computation(name="add", state=Total)
def add(message, state):
    return message


def compiled(source, sink=None):
    pipeline = wallaroo.source("in", source).key_by(extract_user).to(add)
    made = wallaroo.build_application(
        "app", pipeline.to_sink(sink or wallaroo.KafkaSinkConfig("out", encoder=encode))
    )
    return compile_topology(made, None, [])


KAFKA = wallaroo.KafkaSourceConfig("there", decoder=decode)
TCP = wallaroo.TCPSourceConfig("in", "localhost", 7010, decode)
GENERATOR = wallaroo.GenSourceConfig("numbers", Numbers())


def test_state_positions_and_what_lies_between_go_and_the_source_is_moved():
    plan = plan_reset(compiled(KAFKA), Goal("earliest"))
    assert plan.moved == {"app-in": "there"}
    assert plan.forgotten == {"app-extract-user": "app-extract-user-repartition"}
    assert plan.phases == (
        ("app-in-positions-changelog", "app-add-changelog"),
        ("app-extract-user-repartition",),
        (),
        (),
    )
    assert plan.sinks == ("out",)


@pytest.mark.parametrize("where", ["earliest", "latest", "time", "offsets"])
def test_what_a_tcp_source_has_taken_in_is_kept(where):
    plan = plan_reset(compiled(TCP), Goal(where))
    assert plan.moved == {"app-in": "app-in-ingest"}
    assert "app-in-ingest" not in [topic for phase in plan.phases for topic in phase]


def test_a_generator_begins_anew_only_with_all_that_there_is():
    plan = plan_reset(compiled(GENERATOR), Goal("earliest"))
    assert (plan.moved, plan.generator_positions, plan.generated) == (
        {},
        ("app-in-generator",),
        ("app-in-ingest",),
    )
    plan = plan_reset(compiled(GENERATOR), Goal("latest"))
    assert (plan.moved, plan.generator_positions, plan.generated) == ({"app-in": "app-in-ingest"}, (), ())
    assert plan.idle == ("app-in-generator",)


def test_deliveries_must_stand_still_and_keep_their_outboxes():
    plan = plan_reset(compiled(KAFKA, wallaroo.TCPSinkConfig("h", 1, encoder=encode)), Goal("latest"))
    assert len(plan.outboxes) == 1
    assert set(plan.outboxes) < set(plan.groups)
    assert not {topic for phase in plan.phases for topic in phase} & set(plan.outboxes.values())


def test_an_offset_is_given_for_a_partition():
    assert given_offsets(["in:0=5", "a.b_c-d:12=0"]) == {("in", 0): 5, ("a.b_c-d", 12): 0}


@pytest.mark.parametrize("text", ["", "in", "in:0", "in=5", "in:0=", "in:0=-1", "in:x=1", ":0=1", "in:0=1=2"])
def test_what_is_no_offset_of_a_partition_is_refused_with_the_form(text):
    with pytest.raises(SettingsError, match="TOPIC:PARTITION=OFFSET"):
        given_offsets([text])


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({("in", 0): 5}, "no offset for in:1"),
        ({("in", 0): 5, ("in", 1): 5, ("on", 0): 1}, "names on:0, which is no partition of a source"),
        ({("in", 0): 1, ("in", 1): 5}, "in:0 holds the offsets 2 to 9, not 1"),
        ({("in", 0): 2, ("in", 1): 10}, "in:1 holds the offsets 0 to 9, not 10"),
    ],
)
def test_offsets_must_be_those_of_all_partitions_and_there(wanted, text):
    places = {("in", 0): 2, ("in", 1): 0}
    with pytest.raises(SettingsError, match=text):
        check_offsets(wanted, places, dict.fromkeys(places, 9))
    check_offsets({("in", 0): 2, ("in", 1): 9}, places, dict.fromkeys(places, 9))


@pytest.mark.parametrize("on_mismatch", ["fail", "state", "group"])
def test_what_a_reset_has_marked_is_refused_whatever_the_settings_say(on_mismatch):
    metadata = OffsetMetadata.decode(encode_reset())
    facts = Facts(Group("app-in", "there", "kafka:9092"), 0, 5, metadata, 0, 0)
    refused = compare(facts)
    assert isinstance(refused, Mismatch)
    assert "run the same `wallaroo reset` again" in refused.text
    assert override(facts, on_mismatch) is None
