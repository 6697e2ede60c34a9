"""What a task does when user code raises: back, carefully through it, and on."""

import pytest

from tests.unit.task.fakes import changed, record, records, task, written
from tests.unit.task.steps import (
    ADD,
    COUNTS,
    TOTALS,
    UPPER,
    add,
    carefully,
    committed,
    count,
    keep_unstorable,
)
from wallaroo.errors import StateError, StopProcessing, StoredValueError
from wallaroo.record import Partition, Rewind
from wallaroo.task.dead_letters import OnError
from wallaroo.topology.steps import Apply, Store, Update

PLACE = Partition("in", 1)


def test_user_code_that_raises_asks_for_a_rewind():
    made = task(ADD)
    made.process(records(b"1"))
    assert made.process(records(b"2", b"bad", b"3", start=1)) == Rewind(PLACE, 2)


def test_a_rollback_forgets_everything_since_the_last_commit():
    made = task(ADD)
    made.process(records(b"1"))
    committed(made)
    made.process(records(b"2", start=1))
    assert made.rollback() == 1
    assert made.collect() is None
    made.process(records(b"5", start=1))
    assert written(made.collect()) == [b"6"]


def test_the_second_time_the_failing_record_alone_is_a_dead_letter():
    made = carefully(task(ADD), records(b"1", b"bad", b"3"))
    batch = made.collect()
    assert written(batch) == [b"1", b"4"]
    assert written(batch, "dlq") == [b"bad"]
    assert batch.dead_letters == {("add", "ValueError"): 1}


def test_dead_letters_of_a_rolled_back_batch_are_not_counted_twice():
    made = carefully(task(ADD), records(b"\xff", b"bad", b"1"))
    assert made.collect().dead_letters == {("source", "UnicodeDecodeError"): 1, ("add", "ValueError"): 1}


def test_a_failure_behind_two_states_undoes_both():
    steps = (Update("count", count, COUNTS), ADD)
    made = carefully(task(*steps), records(b"1", b"bad", b"2"))
    assert changed(made.collect()) == {"count": {b"k": b'1J{"total":2}'}, "total": {b"k": b'1J{"total":3}'}}


def test_a_failing_encoder_undoes_the_state_before_it():
    made = carefully(
        task(ADD, Apply("fail at 3", lambda value: value if value != "3" else int("x"))),
        records(b"1", b"2", b"5"),
    )
    assert written(made.collect()) == [b"1", b"6"]


def test_the_first_record_of_a_key_that_fails_leaves_no_state():
    made = carefully(task(ADD), records(b"bad"))
    assert changed(made.collect()) == {"total": {}}


def test_a_record_whose_state_cannot_be_stored_is_found_when_the_batch_is_collected():
    made = task(Update("keep", keep_unstorable, TOTALS))
    slices = [*records(b"a", b"unstorable"), *records(b"b", start=2, key=b"other")]
    assert made.process(slices) is None
    assert made.collect() == Rewind(PLACE, 2)
    assert made.rollback() == 0
    assert made.process(slices) is None
    batch = made.collect()
    assert written(batch) == [b"a", b"b"]
    assert batch.dead_letters == {("keep", "StateError"): 1}


def test_a_state_that_one_record_spoils_and_the_next_one_mends_was_never_spoilt():
    made = task(Update("keep", keep_unstorable, TOTALS))
    made.process(records(b"unstorable", b"a"))
    assert written(made.collect()) == [b"unstorable", b"a"]


def test_a_commit_in_flight_is_what_a_failing_record_is_undone_to():
    made = carefully(task(ADD), records(b"bad", b"1"))
    batch = made.collect()
    made.process(records(b"bad", b"10", start=2))
    made.committed(batch)
    assert written(made.collect()) == [b"11"]


def test_an_aborted_commit_takes_what_was_computed_meanwhile_with_it():
    made = task(ADD)
    made.process(records(b"1"))
    made.collect()
    made.process(records(b"2", start=1))
    assert made.rollback() == 0
    made.process(records(b"5"))
    assert written(made.collect()) == [b"5"]


def test_after_a_failure_records_are_taken_carefully_for_a_while():
    made = carefully(task(UPPER), records(b"bad"))
    assert made.process(records(b"bad", start=1)) is None
    assert made.process(records(b"bad", start=1000)) is None
    assert made.process(records(b"bad", start=2001)) == Rewind(PLACE, 2001)


def test_a_stream_that_fails_again_soon_is_taken_carefully_for_longer():
    made = carefully(task(UPPER), records(b"bad"))
    made.process(records(b"a", start=1001))
    made.process(records(b"bad", start=1500))
    made.rollback()
    made.process(records(b"a", start=1500 + 2000))
    assert made.process(records(b"bad", start=1500 + 2000)) is None


def test_a_stream_that_fails_again_late_is_forgiven():
    made = carefully(task(UPPER), records(b"bad"))
    made.process(records(b"bad", start=70_000))
    made.rollback()
    assert made.process(records(b"bad", start=71_001)) == Rewind(PLACE, 71_001)


@pytest.mark.parametrize("bad", [b"\xff", b"bad"])
def test_skipping_leaves_a_count_and_nothing_else(bad):
    made = carefully(task(UPPER, on_error=OnError.SKIP), records(b"a", bad, b"b"))
    batch = made.collect()
    assert written(batch) == [b"A", b"B"]
    assert written(batch, "dlq") == []
    assert list(batch.dropped.values()) == [1]


def test_stopping_names_the_record():
    made = task(UPPER, on_error=OnError.STOP)
    slices = records(b"a", b"bad", start=7)
    made.process(slices)
    made.rollback()
    with pytest.raises(StopProcessing, match=r"stage 'upper' failed at in\[1\]@8, key b'k'"):
        made.process(slices)


def test_stopping_at_an_undecodable_record_names_it_at_once():
    with pytest.raises(StopProcessing, match=r"stage 'source' failed at in\[1\]@1"):
        task(UPPER, on_error=OnError.STOP).process(records(b"a", b"\xff"))


@pytest.mark.parametrize("policy", list(OnError))
@pytest.mark.parametrize("damaged", [b"1O{", b"1J", b"9Znew"])
def test_a_damaged_record_of_an_internal_topic_is_never_passed_over(policy, damaged):
    made = task(UPPER, on_error=policy, decode=None)
    with pytest.raises(StoredValueError, match=r"the record in\[1\]@0 of an internal topic cannot be read"):
        made.process(records(damaged))


@pytest.mark.parametrize("foreign", [b"nonsense", b'{"user": "rex"}', b"", b"1", b"42", None])
def test_a_record_of_an_internal_topic_that_does_not_claim_to_be_ours_is_a_dead_letter(foreign):
    made = task(UPPER, decode=None, by_slice=False)
    made.process(records(b"1Sa", foreign, b"1Sb"))
    batch = made.collect()
    assert written(batch) == [b"A", b"B"]
    assert written(batch, "dlq") == [foreign]
    assert batch.dead_letters == {("source", "ForeignRecordError"): 1}
    failed, _ = batch.failures["source"]
    assert (failed.outcome, failed.topic, failed.partition, failed.offset) == ("dead letter", "in", 1, 1)


def test_a_stored_state_that_cannot_be_read_is_no_fault_of_the_record():
    made = task(ADD)
    made.stores["total"].restore(b"k", b"nonsense")
    with pytest.raises(StoredValueError, match="unknown format"):
        made.process(records(b"1"))


def test_a_stored_state_that_cannot_be_read_is_no_dead_letter_in_careful_form_either():
    made = carefully(task(ADD), [record(0, b"bad", b"other")])
    made.stores["total"].restore(b"k", b"nonsense")
    with pytest.raises(StoredValueError, match="unknown format"):
        made.process(records(b"1", start=1))


def test_a_state_class_that_raises_is_a_failure_of_its_stage():
    made = carefully(task(Update("add", add, Store("total", "c", lambda: int("x")))), records(b"1"))
    assert made.collect().dead_letters == {("add", "ValueError"): 1}


def test_state_that_no_record_is_to_blame_for_ends_the_task():
    made = task(Update("keep", keep_unstorable, TOTALS), ADD)
    carefully(made, records(b"x", b"1"))
    made.stores["total"].live(b"k").kept = lambda: None
    with pytest.raises(StateError, match="the state of 'total' for key b'k' cannot be stored"):
        made.collect()


def test_a_task_can_go_on_at_another_offset():
    made = task(UPPER)
    made.move_to(50)
    assert (made.next_offset, made.rollback()) == (50, 50)
