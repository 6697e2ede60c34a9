"""A task computes and never writes: slices in, batches out, and back again when something fails."""

import pytest

from tests.unit.processing.fakes import record, records, task, written
from wallaroo.errors import StateError, StopProcessing, StoredValueError
from wallaroo.processing.rejections import OnError
from wallaroo.record import Changes, Partition, Rewind
from wallaroo.topology.model import Apply, ApplyMulti, CheckKey, Store, Update, UpdateMulti

PLACE = Partition("in", 1)


class Total:
    total = 0


TOTALS = Store("total", "app-total-changelog", Total)
COUNTS = Store("count", "app-count-changelog", Total)


def add(value, state):
    """Add a number; a text that is none fails half-way."""
    state.total += 1000
    state.total += int(value) - 1000
    return str(state.total)


def keep_unstorable(value, state):
    state.kept = (lambda: None) if value == "unstorable" else value
    return value


def count(value, state):
    state.total += 1
    return value


def upper(value):
    return value.upper() if value != "bad" else int(value)


ADD = Update("add", add, TOTALS)
UPPER = Apply("upper", upper)


def carefully(made, *slices):
    """Run slices through a task as a loop would, rewinding where it asks to."""
    everything = [each for some in slices for each in some]
    for some in slices:
        if made.process(some) is not None:
            start = made.rollback()
            assert (
                made.process([each for each in everything if start <= each.offset() <= some[-1].offset()])
                is None
            )
    return made


def committed(made):
    batch = made.collect()
    made.committed(batch)
    return batch


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
    assert batch.changes == [Changes("total", "app-total-changelog", {b"k": b'1J{"total":3}'})]


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
    changes = {each.store: dict(each.values) for each in made.collect().changes}
    assert changes == {"count": {b"k": b'1J{"total":2}'}, "total": {b"k": b'1J{"total":3}'}}


def test_a_failing_encoder_undoes_the_state_before_it():
    made = carefully(
        task(ADD, Apply("fail at 3", lambda value: value if value != "3" else int("x"))),
        records(b"1", b"2", b"5"),
    )
    assert written(made.collect()) == [b"1", b"6"]


def test_the_first_record_of_a_key_that_fails_leaves_no_state():
    made = carefully(task(ADD), records(b"bad"))
    (changes,) = made.collect().changes
    assert changes.values == {}


def test_a_record_whose_state_cannot_be_stored_is_found_when_the_batch_is_collected():
    made = task(Update("keep", keep_unstorable, TOTALS))
    slices = [*records(b"a", b"unstorable"), *records(b"b", start=2, key=b"other")]
    assert made.process(slices) is None
    assert made.collect() == Rewind(PLACE, 2)
    assert made.rollback() == 0
    assert made.process(slices) is None
    batch = made.collect()
    assert written(batch) == [b"a", b"b"]
    assert batch.dead_letters == {("total", "StateError"): 1}


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
def test_an_undecodable_record_of_an_internal_topic_is_never_passed_over(policy):
    made = task(UPPER, on_error=policy, decode=None)
    with pytest.raises(StoredValueError, match=r"the record in\[1\]@0 of an internal topic cannot be read"):
        made.process(records(b"nonsense"))


def test_a_stored_state_that_cannot_be_read_is_no_fault_of_the_record():
    made = task(ADD)
    made.stores["total"].committed[b"k"] = b"nonsense"
    with pytest.raises(StoredValueError, match="unknown format"):
        made.process(records(b"1"))


def test_a_stored_state_that_cannot_be_read_is_no_dead_letter_in_careful_form_either():
    made = carefully(task(ADD), [record(0, b"bad", b"other")])
    made.stores["total"].committed[b"k"] = b"nonsense"
    with pytest.raises(StoredValueError, match="unknown format"):
        made.process(records(b"1", start=1))


def test_a_state_class_that_raises_is_a_failure_of_its_stage():
    made = carefully(task(Update("add", add, Store("total", "c", lambda: int("x")))), records(b"1"))
    assert made.collect().dead_letters == {("add", "ValueError"): 1}


def test_state_that_no_record_is_to_blame_for_ends_the_task():
    made = task(Update("keep", keep_unstorable, TOTALS), ADD)
    carefully(made, records(b"x", b"1"))
    made.stores["total"].live[b"k"].kept = lambda: None
    with pytest.raises(StateError, match="the state of 'total' for key b'k' cannot be stored"):
        made.collect()


def test_a_task_can_go_on_at_another_offset():
    made = task(UPPER)
    made.move_to(50)
    assert (made.next_offset, made.rollback()) == (50, 50)
