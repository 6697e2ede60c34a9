"""A slice by columns does what its records do one after the other, and says which of them has failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.task.fakes import PICKLES, record, records, task, written
from tests.unit.task.steps import ADD, TOTALS, carefully
from wallaroo.record import Partition, Rewind
from wallaroo.serde.object_codec import message_codec
from wallaroo.task.record_batch import decode_batch
from wallaroo.topology.model import Repartition
from wallaroo.topology.steps import Apply, CheckKey, Update, UpdateMulti

PLACE = Partition("in", 1)
FIRST = CheckKey("first letter", lambda value: value[0])
VALUES = message_codec(PICKLES)
HOP = (Repartition("first letter", "repartition", lambda value: value[0]),)


def add_up(value, state):
    state.total += int(value[1:])
    return state


def shown(state):
    return str(state.total)


def note(seen):
    def process(value):
        seen.append(value)
        return seen

    return process


@pytest.mark.parametrize("before", [(), (FIRST,)], ids=["keyed before", "keys checked"])
@pytest.mark.parametrize(
    "stage",
    [
        Update("sum", add_up, TOTALS),
        UpdateMulti("sum", lambda value, state: [add_up(value, state)], TOTALS),
    ],
    ids=["one", "multi"],
)
def test_a_stage_may_hand_on_the_state_that_it_goes_on_changing(before, stage):
    made = task(*before, stage, Apply("show", shown))
    made.process(records(b"a1", b"a2", b"a3", key=b"a"))
    assert written(made.collect()) == [b"1", b"3", b"6"]


def test_a_stage_may_hand_on_one_object_again_and_again():
    made = task(Apply("note", note([])), Apply("show", "".join))
    made.process(records(b"a", b"b", b"c"))
    assert written(made.collect()) == [b"a", b"ab", b"abc"]


def test_what_is_sent_on_behind_a_stage_is_as_it_was_then():
    made = task(Apply("note", note([])), targets=(Repartition("first", "repartition", lambda some: some[0]),))
    made.process(records(b"a", b"b"))
    [(_, batch, *_)] = made.collect().outputs
    assert [VALUES.decode(sent.value()) for sent in decode_batch(batch, 0)] == [["a"], ["a", "b"]]


@pytest.mark.parametrize(
    "wrong",
    [record(2, b"b1", b"a"), record(2, b"", b"a"), record(2, b"a1")],
    ids=["key", "raises", "keyless"],
)
def test_the_record_with_the_wrong_key_is_found_in_its_slice(wrong):
    made = task(FIRST, Apply("rest", lambda value: value[1:]))
    some = [*records(b"a1", b"a2", key=b"a"), wrong, *records(b"a3", start=3, key=b"a")]
    assert made.process(some) == Rewind(PLACE, 2)
    made.rollback()
    assert made.process(some) is None
    batch = made.collect()
    assert written(batch) == [b"1", b"2", b"3"]
    assert written(batch, "dlq") == [wrong.value()]


def test_the_record_whose_key_cannot_be_extracted_is_found_before_a_hop():
    made = task(targets=HOP)
    some = records(b"a1", b"", b"a2")
    assert made.process(some) == Rewind(PLACE, 1)
    made.rollback()
    assert made.process(some) is None
    batch = made.collect()
    assert written(batch, "dlq") == [b""]
    assert len(written(batch, "repartition")) == 2


def test_the_record_that_fails_is_the_one_after_those_that_went_through():
    assert task(ADD).process(records(b"1", b"2", b"3", b"bad", b"4", start=10)) == Rewind(PLACE, 13)


@pytest.mark.parametrize("by_slice", [False, True], ids=["one by one", "by slice"])
def test_records_that_cannot_be_decoded_leave_the_others_of_their_slice_alone(by_slice):
    made = carefully(task(ADD, by_slice=by_slice), records(b"1", b"\xff", b"2", b"\xfe"))
    batch = made.collect()
    assert written(batch) == [b"1", b"3"]
    assert written(batch, "dlq") == [b"\xff", b"\xfe"]


@given(st.lists(st.sampled_from([b"1", b"2", b"\xff", b"no", b"bad"]), min_size=1, max_size=8))
def test_a_slice_is_what_its_records_are_one_after_the_other(values):
    def outcome(by_slice):
        made = task(ADD, decode=decode_unless_no, by_slice=by_slice)
        rewind = made.process(records(*values))
        if rewind:
            return rewind
        batch = made.collect()
        outputs = [output[:3] for output in batch.outputs]
        return outputs, batch.dropped, batch.dead_letters, batch.next_offset

    assert outcome(by_slice=True) == outcome(by_slice=False)


def test_a_dead_letter_stands_between_what_its_neighbours_have_sent():
    made = task(ADD)
    made.process(records(b"1", b"\xff", b"\xfe", b"2"))
    assert [output[0] for output in made.collect().outputs] == ["out", "dlq", "dlq", "out"]


def decode_unless_no(data):
    return None if data == b"no" else data.decode()


@pytest.mark.parametrize("by_slice", [False, True], ids=["one by one", "by slice"])
def test_a_decoder_is_asked_once_a_record_whether_it_filters_or_fails(by_slice):
    asked = []

    def decode(data):
        asked.append(data)
        return decode_unless_no(data)

    made = task(ADD, decode=decode, by_slice=by_slice)
    made.process(records(b"1", b"no", b"\xff", b"2"))
    batch = made.collect()
    assert asked == [b"1", b"no", b"\xff", b"2"]
    assert written(batch, "dlq") == [b"\xff"]
    assert written(batch) == [b"1", b"3"]
    assert batch.dropped == {("source", "filtered"): 1}


@pytest.mark.parametrize(
    ("by_slice", "order"),
    [(True, ["decode", "decode", "stage", "stage"]), (False, ["decode", "stage", "decode", "stage"])],
)
def test_only_a_decoder_of_ours_is_ahead_of_the_first_stage(by_slice, order):
    seen = []

    def decode(data):
        seen.append("decode")
        return data.decode()

    made = task(Apply("note", lambda value: seen.append("stage")), decode=decode, by_slice=by_slice)
    made.process(records(b"1", b"2"))
    assert seen == order


def test_a_decoder_may_fill_one_object_again_and_again():
    box = []

    def decode(data):
        box[:] = [data.decode()]
        return box if data != b"no" else None

    made = task(Apply("show", "".join), decode=decode, by_slice=False)
    made.process(records(b"a", b"no", b"b", b"c"))
    batch = made.collect()
    assert written(batch) == [b"a", b"b", b"c"]
    assert batch.dropped == {("source", "filtered"): 1}


def test_while_a_record_is_in_user_code_another_thread_can_see_which_one():
    seen = []
    made = task(Apply("look", lambda value: seen.append(made.in_progress)))
    some = records(b"a", b"b", b"c")
    made.process(some)
    assert seen == [(record, True) for record in some]
    assert made.in_progress is None


def test_so_it_can_while_a_record_is_decoded():
    seen = []
    made = task(decode=lambda value: seen.append(made.in_progress) or value.decode())
    some = records(b"a", b"b", b"c")
    made.process(some)
    assert seen == [(record, True) for record in some]
