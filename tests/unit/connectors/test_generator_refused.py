"""Generated values that their topic refuses."""

from types import SimpleNamespace

import pytest

from wallaroo.connectors.generator.refused import with_causes, without_refused
from wallaroo.errors import KafkaSetupError, StopProcessing
from wallaroo.record import Batch, Partition
from wallaroo.task.dead_letters import OnError
from wallaroo.task.limits import RecordLimits, Refusal, RefusedRecord, TopicLimits

GENERATOR = SimpleNamespace(source="numbers", topic="ingest", positions="positions")
BATCH = Batch(
    Partition("positions", 0),
    0,
    3,
    0,
    [("ingest", b"1S" + value, None, 0) for value in (b"a", b"b" * 900, b"c")],
    (),
    {},
    {},
)
OPEN = RecordLimits(10_000, {})


def refused(refusal, on_error=OnError.DEAD_LETTER):
    batch = without_refused(GENERATOR, on_error, "dlq")(BATCH, refusal)
    return batch, [(output[0], output[1]) for output in batch.outputs]


def alone(index):
    return Refusal(OPEN, [RefusedRecord(0, BATCH.outputs[index], (index,), "Broker: no")])


def test_a_value_that_exceeds_a_limit_is_a_dead_letter_in_place():
    batch, written = refused(Refusal(RecordLimits(10_000, {"ingest": TopicLimits(500)})))
    assert written == [("ingest", b"1Sa"), ("dlq", b"b" * 900), ("ingest", b"1Sc")]
    assert batch.dead_letters == {("numbers", "RecordError"): 1}


def test_a_value_that_was_refused_alone_is_one_too():
    assert refused(alone(2))[1][2] == ("dlq", b"c")


def test_on_error_skip_leaves_it_out():
    batch, written = refused(alone(0), OnError.SKIP)
    assert [topic for topic, _ in written] == ["ingest", "ingest"]
    assert batch.dropped == {("numbers", "skipped"): 1}


def test_on_error_stop_stops():
    with pytest.raises(StopProcessing, match="ingest refuses the record: Broker: no"):
        refused(alone(0), OnError.STOP)


def test_a_position_that_is_refused_is_the_end():
    position = RefusedRecord(0, ("positions", b"1G", b"generator", 0), None, "Broker: too large")
    with pytest.raises(
        KafkaSetupError, match="the generator of the source 'numbers' writes: Broker: too large"
    ):
        refused(Refusal(OPEN, [position]))


def test_every_value_is_named_by_its_place():
    assert with_causes(BATCH).causes.outputs == {0: (0,), 1: (1,), 2: (2,)}
