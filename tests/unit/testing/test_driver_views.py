"""ApplicationDriver: what goes in, and what it shows of topics, dead letters and state."""

import types

import pytest

import wallaroo
from tests.properties import samples
from tests.properties.samples import source
from tests.unit.testing.drivers import TOTAL, driver, total
from wallaroo.errors import StopProcessing, StoredValueError, WallarooParameterError
from wallaroo.testing import ApplicationDriver, Pace


def test_a_changelog_can_be_read_like_any_topic():
    made = driver("rex:1", "rex:2", application=samples.partitioned())
    made.run()
    (record,) = made.records("app-total-changelog")
    assert (record.key, record.value) == (b"rex", b'1J{"total":3}')


def test_a_changelog_lies_in_the_partition_of_its_input():
    made = ApplicationDriver(samples.partitioned(), partitions={"in": 7})
    made.send("in", "rex:1:fine", "rex", partition=5)
    made.run()
    assert [record.partition for record in made.records("app-total-changelog")] == [5]


def test_records_that_share_a_record_batch_are_shown_each_by_itself():
    made = driver(*["rex:1"] * 5, application=samples.hopping())
    made.run()
    (topic,) = made.topology.repartitions
    shown = made.records(topic)
    assert [record.key for record in shown] == [b"rex"] * 5
    assert len({record.value for record in shown}) == 1
    assert [record.offset for record in shown] == [0] * 5


@pytest.mark.parametrize(("key", "expected"), [("a", 0), ("b", 0), (None, 2)])
def test_records_of_a_key_share_a_partition_and_others_are_dealt_out(key, expected):
    made = ApplicationDriver(samples.stateless(), 3)
    made.send("in", "x:1:fine", key)
    made.send("in", "x:1:fine", key)
    made.send("in", "x:1:fine", key)
    partitions = {record.partition for record in made.records("in")}
    assert len(partitions) == expected + 1


def test_records_carry_their_time_and_headers():
    made = ApplicationDriver(samples.stateless())
    made.advance(1500)
    made.send("in", "x:1:fine")
    made.send("in", "x:1:fine", timestamp_ms=7, headers=[("trace", b"1")])
    made.run()
    now, then = made.records("in")
    assert (now.timestamp_ms, then.timestamp_ms, then.headers) == (1500, 7, (("trace", b"1"),))
    assert sorted(record.timestamp_ms for record in made.records("out")) == [7, 1500]


def test_a_dead_letter_says_why():
    made = driver("rex:1", "rex:1:refused", "nonsense", application=samples.partitioned())
    made.run()
    refused, unreadable = sorted(made.dead_letters(), key=lambda letter: letter.stage)[::-1]
    assert (refused.stage, refused.exception, refused.message) == (
        TOTAL,
        "builtins.ValueError",
        "rex:1:refused",
    )
    assert (refused.topic, refused.offset, refused.key) == ("in", 1, b"rex")
    assert (unreadable.stage, unreadable.value) == ("in", b"nonsense")


def test_a_service_that_stops_can_be_driven_on_from_its_last_commit():
    made = driver("rex:1", "rex:1:refused", application=samples.partitioned(), on_error="stop", pace=Pace(1))
    made.step()
    made.commit()
    with pytest.raises(StopProcessing):
        made.run()
    with pytest.raises(StopProcessing):
        made.run()
    assert made.read("out") == [b"1"]


def test_a_damaged_record_in_an_internal_topic_ends_the_service():
    made = driver("rex:1")
    made._logs.append(("app-extract-key-repartition", b"1O{", b"rex", 0))
    with pytest.raises(StoredValueError, match="internal topic cannot be read"):
        made.run()


def test_a_stranger_in_an_internal_topic_is_a_dead_letter():
    made = driver("rex:1")
    made._logs.append(("app-extract-key-repartition", b"nonsense", b"rex", 0))
    made.send("in", "rex:2:fine", "rex")
    made.run()
    [letter] = made.dead_letters()
    assert (letter.topic, letter.value, letter.key) == ("app-extract-key-repartition", b"nonsense", b"rex")
    assert made.read("out")[-1] == b"3"


def test_a_tcp_sink_is_read_by_its_address():
    sink = wallaroo.TCPSinkConfig("localhost", 7010, wallaroo.encoder(lambda message: message + "\n"))
    application = wallaroo.build_application("app", source().to_sink(sink))
    made = driver("rex:1", application=application)
    made.run()
    assert made.read("localhost:7010") == [b"rex:1:fine\n"]


def test_a_topic_of_another_cluster_is_read_by_its_name():
    there = [("there", 9092)]
    encode = wallaroo.encoder(lambda message: (message, "key"))
    read = wallaroo.KafkaSourceConfig("in", [("here", 9092)], decoder=samples.decode)
    far = wallaroo.KafkaSinkConfig("far", there, encoder=encode)
    application = wallaroo.build_application("app", wallaroo.source("s", read).to_sink(far))
    made = driver("rex:1", application=application)
    made.run()
    assert made.read("far") == made.read("there:9092/far") == [b"rex:1:fine"]
    assert made.records("app-far-outbox")[0].key == b"key"


def test_a_state_for_the_whole_stream_needs_no_key():
    made = driver("rex:1", "fido:2", application=samples.collecting())
    assert made.state(TOTAL) is None
    made.run()
    assert made.state(TOTAL).total == 3


def test_a_state_is_a_copy():
    made = driver("rex:1", application=samples.partitioned())
    made.run()
    made.state(TOTAL, "rex").total = 100
    assert total(made, "rex") == 1


def test_the_applications_own_codecs_are_used():
    module = types.ModuleType("codecs")
    module.serialize, module.deserialize = repr_total, parse_total
    made = driver("rex:1", application=samples.partitioned(), module=module)
    made.run()
    made.crash()
    assert (made.read("app-total-changelog"), total(made, "rex")) == ([b"1U1"], 1)


def repr_total(state):
    return str(state.total).encode()


def parse_total(data):
    state = samples.Plain()
    state.total = int(data)
    return state


def test_it_describes_the_topology():
    made = driver()
    assert made.describe().startswith("Topology app (app)\n")
    assert made.describe("mermaid").startswith("flowchart LR\n")


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (lambda d: d.send("nowhere", ""), "no source reads 'nowhere'; the sources read in"),
        (lambda d: d.send("out", ""), "no source reads 'out'"),
        (
            lambda d: d.read("nowhere"),
            "there is no topic 'nowhere'; there are app-dlq, app-extract-key-repart",
        ),
        (lambda d: d.state("look", "rex"), "no stage 'look' keeps state; those that do: total"),
        (
            lambda _: ApplicationDriver(samples.stateless(), {"inn": 2}),
            "there is no topic 'inn' to give partitions",
        ),
    ],
)
def test_names_that_there_are_not_are_refused(action, told):
    with pytest.raises(WallarooParameterError, match=told):
        action(driver())


def test_it_is_quick():
    """A thousand records through a hop and back, with a crash: no broker, no sleep."""
    made = driver(*(f"{n % 7}:1" for n in range(1000)))
    made.step(500)
    made.crash()
    made.run()
    assert sum(total(made, str(n)) for n in range(7)) == 1000
