"""A task computes and never writes: slices in, batches out."""

import pytest

from tests.unit.task.fakes import record, records, task, written
from tests.unit.task.steps import (
    ADD,
    TOTALS,
    UPPER,
    carefully,
    committed,
)
from wallaroo.record import Changes, Partition
from wallaroo.state.store import POSITION_KEY
from wallaroo.topology.steps import Apply, ApplyMulti, CheckKey, UpdateMulti

PLACE = Partition("in", 1)


def test_a_batch_is_all_that_is_to_be_committed_together():
    made = task(ADD)
    assert made.process(records(b"1", b"2", start=5)) is None
    batch = made.collect()
    assert (batch.partition, batch.next_offset, batch.records, batch.oldest_timestamp_ms) == (
        PLACE,
        7,
        2,
        1000,
    )
    assert written(batch) == [b"1", b"3"]
    states, position = batch.changes
    assert states == Changes("total", "app-total-changelog", {b"k": b'1J{"total":3}'})
    assert (position.topic, [*position.values]) == ("app-total-changelog", [POSITION_KEY])


def test_a_task_that_has_done_nothing_has_nothing_to_commit():
    assert task(ADD).collect() is None


def test_a_batch_begins_where_the_last_one_ended():
    made = task(UPPER)
    made.process(records(b"a"))
    committed(made)
    made.process(records(b"b", start=1))
    assert written(made.collect()) == [b"B"]


def test_records_that_give_nothing_move_the_offset_all_the_same():
    made = task(Apply("drop", lambda _value: None))
    made.process(records(b"a", b"b"))
    batch = made.collect()
    assert (batch.next_offset, batch.outputs) == (2, [])


def test_a_decoder_that_returns_none_drops_the_record():
    made = task(UPPER, decode=lambda data: None if data == b"no" else data.decode())
    made.process(records(b"no", b"a"))
    batch = made.collect()
    assert written(batch) == [b"A"]
    assert batch.dropped == {("source", "filtered"): 1}


def test_records_from_before_the_start_are_left_out():
    made = task(UPPER, start=2)
    made.process(records(b"a", b"b", b"c", b"d"))
    assert written(made.collect()) == [b"C", b"D"]


def test_a_slice_that_has_been_processed_already_changes_nothing():
    made = task(UPPER)
    made.process(records(b"a"))
    committed(made)
    assert made.process(records(b"a")) is None
    assert made.collect() is None


def test_a_multi_stage_gives_one_record_for_each_result():
    made = task(ApplyMulti("split", lambda value: [value, None, value * 2]))
    made.process(records(b"a"))
    assert written(made.collect()) == [b"a", b"aa"]


def test_a_multi_stage_may_return_none():
    made = task(UpdateMulti("split", lambda _value, _state: None, TOTALS))
    made.process(records(b"a"))
    assert written(made.collect()) == []


@pytest.mark.parametrize("result", [("a", "b"), "ab", {"a": 1}, 7])
def test_a_multi_stage_that_returns_no_list_fails(result):
    made = carefully(task(ApplyMulti("split", lambda _value: result)), records(b"a"))
    (letter,) = made.collect().outputs
    message = dict(letter[-1])["__streams.errors.message"].decode()
    assert message == f"'split' returned {type(result).__name__}; return a list, or None"


def test_a_list_from_a_plain_stage_is_one_message():
    made = task(Apply("list", lambda value: [value]), Apply("text", str))
    made.process(records(b"a"))
    assert written(made.collect()) == [b"['a']"]


def test_a_key_that_breaks_the_promise_of_its_source_is_a_dead_letter():
    check = CheckKey("user", lambda value: value)
    made = carefully(task(check), [record(0, b"rex", b"rex"), record(1, b"rex", b"fido"), record(2, b"rex")])
    batch = made.collect()
    assert written(batch) == [b"rex"]
    assert batch.dead_letters == {("user", "RecordError"): 2}


def test_an_undecodable_record_is_rejected_at_full_speed():
    made = task(ADD)
    assert made.process(records(b"1", b"\xff", b"2")) is None
    batch = made.collect()
    assert written(batch) == [b"1", b"3"]
    assert written(batch, "dlq") == [b"\xff"]
    assert batch.dead_letters == {("source", "UnicodeDecodeError"): 1}
