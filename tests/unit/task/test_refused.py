"""What was refused alone is the failure of what it came from, in the replay."""

import pytest

from tests.unit.task.fakes import record, records, task, written
from tests.unit.task.steps import ADD, UPPER
from wallaroo.errors import KafkaSetupError, StopProcessing
from wallaroo.task.dead_letters import OnError
from wallaroo.task.limits import RefusedRecord

WHY = "Broker: Invalid timestamp"


def replayed(made, some):
    """The batch of the replay after a refusal that nothing explained."""
    made.process(some)
    made.collect()
    made.replay()
    made.rollback()
    made.process(some)
    return made.collect()


def without(made, some, batch, index):
    """The replay after an output was refused alone."""
    made.refuse(RefusedRecord(1, batch.outputs[index], batch.causes.outputs.get(index), WHY))
    made.replay()
    made.rollback()
    made.process(some)
    return made.collect()


def test_each_output_of_a_replay_says_which_record_it_came_from():
    batch = replayed(task(UPPER), records(b"a", b"\xff", b"c", start=7))
    assert batch.causes.outputs == {0: (7, 0), 2: (9, 0)}


def test_records_of_one_offset_are_told_apart():
    batch = replayed(task(UPPER), [record(7, b"a"), record(7, b"b"), record(8, b"c")])
    assert list(batch.causes.outputs.values()) == [(7, 0), (7, 1), (8, 0)]


def test_each_change_of_state_says_which_record_made_it_last():
    batch = replayed(task(ADD), records(b"1", b"2"))
    assert batch.causes.changes == {("app-total-changelog", b"k"): (1, 0)}


def test_what_was_processed_as_a_slice_says_nothing():
    made = task(UPPER)
    made.process(records(b"a", b"b"))
    assert made.collect().causes is None


def test_the_record_of_a_refused_output_is_a_dead_letter_and_the_others_stay_in_order():
    made, some = task(UPPER), records(b"a", b"b", b"c")
    batch = without(made, some, replayed(made, some), 1)
    assert written(batch) == [b"A", b"C"]
    assert written(batch, "dlq") == [b"b"]
    assert batch.dead_letters == {("encode", "RecordError"): 1}
    [letter] = [output for output in batch.outputs if output[0] == "dlq"]
    assert dict(letter[7])["__streams.errors.message"] == b"out refuses the record: Broker: Invalid timestamp"


def test_its_state_is_as_if_it_had_never_come():
    made, some = task(ADD), records(b"1", b"20", b"3")
    batch = without(made, some, replayed(made, some), 1)
    assert written(batch) == [b"1", b"4"]


def test_on_error_stop_stops_at_it():
    made, some = task(UPPER, on_error=OnError.STOP), records(b"a")
    with pytest.raises(StopProcessing, match="out refuses the record"):
        without(made, some, replayed(made, some), 0)


def test_a_dead_letter_without_a_key_gets_one_when_it_is_refused():
    made, some = task(UPPER), [record(5, b"\xff")]
    batch = without(made, some, replayed(made, some), 0)
    assert [output[2] for output in batch.outputs] == [b"in[1]@5"]


def test_a_dead_letter_that_is_refused_all_the_same_is_the_end():
    made, some = task(UPPER), records(b"\xff")
    with pytest.raises(
        KafkaSetupError, match=r"dead-letter topic dlq refuses a dead letter: .*on_error=skip"
    ):
        without(made, some, replayed(made, some), 0)


def test_what_no_record_led_to_is_the_end():
    with pytest.raises(KafkaSetupError, match="repartition refuses what the service itself writes"):
        task(UPPER).refuse(RefusedRecord(1, ("repartition", b"1C", None, 0), None, WHY))


def test_a_refusal_is_forgotten_when_the_replay_is_over():
    made, some = task(UPPER), records(b"a", b"b")
    made.committed(without(made, some, replayed(made, some), 0))
    made.process(records(*[b"x"] * 5_000, start=2))
    made.committed(made.collect())
    assert made._transaction._refused == {}
