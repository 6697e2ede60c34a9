"""What is too large for its topic, once Kafka has said that something is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.task.fakes import changed, record, records, task, written
from tests.unit.task.steps import ADD, UPPER, committed
from wallaroo.errors import RecordError, StopProcessing
from wallaroo.task.dead_letters import OnError
from wallaroo.task.limits import RecordLimits, TopicLimits
from wallaroo.task.record_size import shortened, size
from wallaroo.topology.model import Repartition
from wallaroo.topology.steps import Store, Update

ROOMY = RecordLimits(10_000, {})
REASONS = "__streams.errors."


def limits(producer, topic, max_bytes):
    return RecordLimits(producer, {topic: TopicLimits(max_bytes)})


class Pile:
    def __init__(self):
        self.kept = []


def pile(value, state):
    state.kept.append(value)


PILE = Update("pile", pile, Store("pile", "app-pile-changelog", Pile))


def refused(made, some, known):
    """A batch that Kafka refuses as too large, and the same records once more."""
    assert made.process(some) is None
    assert known.are_exceeded(made.collect())
    made.replay()
    made.enforce(known)
    made.rollback()
    assert made.process(some) is None
    return made.collect()


def letter(value=b"v", key=b"k", headers=()):
    return ("dlq", value, key, -1, None, None, 7, [*headers, (REASONS + "stage", b"stage")])


def test_a_result_that_is_too_large_is_the_failure_of_its_record_in_the_sink():
    batch = refused(task(UPPER), records(b"a", b"b" * 500, b"c"), limits(10_000, "out", 400))
    assert written(batch) == [b"A", b"C"]
    assert written(batch, "dlq") == [b"b" * 500]
    assert batch.dead_letters == {("encode", "RecordError"): 1}


def test_state_behind_a_result_that_is_too_large_is_as_if_the_record_had_never_come():
    encode = Repartition("by value", "repartition", lambda value: value * 200)
    batch = refused(
        task(ADD, targets=(encode,)),
        records(b"1", b"20", b"3"),
        limits(10_000, "repartition", 400),
    )
    assert written(batch, "dlq") == [b"20"]
    assert changed(batch) == {"total": {b"k": b'1J{"total":4}'}}


def test_a_state_that_is_too_large_is_the_failure_of_the_record_that_made_it_so():
    some = records(b"a" * 100, b"b" * 100, b"c" * 100, b"d")
    batch = refused(task(PILE), some, limits(10_000, "app-pile-changelog", 350))
    assert written(batch, "dlq") == [b"c" * 100]
    assert batch.dead_letters == {("pile", "RecordError"): 1}


def test_a_state_that_was_too_large_before_harms_nobody_who_leaves_it_as_it_is():
    look = Update("pile", lambda value, state: value, PILE.store)
    made = task(look)
    store = made.stores["pile"]
    store.restore(b"k", store._codec.encode(Pile()) + b" " * 500)
    batch = refused(made, records(b"a", b"b" * 500), limits(10_000, "out", 400))
    assert written(batch) == [b"a"]


def test_a_dead_letter_that_is_too_large_is_cut_and_says_so():
    batch = refused(task(UPPER), records(b"\xff" * 5_000, b"a"), limits(10_000, "dlq", 4_000))
    [output] = [output for output in batch.outputs if output[0] == "dlq"]
    assert size(output) <= 4_000
    assert output[1] == b"\xff" * len(output[1])
    assert dict(output[7])[REASONS + "truncated"] == (
        b"cut to fit in 4000 bytes: the value had 5000, the key 1"
    )


def test_a_refusal_for_another_reason_makes_nobody_weigh_anything():
    made = task(UPPER)
    made.process(records(b"a"))
    assert not ROOMY.are_exceeded(made.collect())


def test_what_the_error_says():
    known = limits(500, "out", 400)
    with pytest.raises(RecordError, match=r"out, which takes 400: .* max\.message\.bytes of"):
        known.check(("out", b"x" * 400, None))
    with pytest.raises(RecordError, match=r"for other, which takes 500: .* raise max_message_bytes"):
        known.check(("other", b"x" * 500, None))


def test_on_error_stop_stops_at_a_record_whose_result_is_too_large():
    made = task(UPPER, on_error=OnError.STOP)
    made.process(records(b"a" * 500))
    made.replay()
    made.enforce(limits(10_000, "out", 400))
    made.rollback()
    with pytest.raises(StopProcessing, match="which takes 400"):
        made.process(records(b"a" * 500))


def test_later_dead_letters_are_cut_at_full_speed_too():
    made = task(UPPER)
    made.replay()
    made.enforce(limits(10_000, "dlq", 4_000))
    made.process([record(100_000, b"\xff" * 5_000)])
    assert all(size(output) <= 4_000 for output in committed(made).outputs)


@given(
    st.binary(max_size=300) | st.none(),
    st.binary(max_size=300) | st.none(),
    st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=200) | st.none()), max_size=3),
    st.integers(300, 900),
)
def test_a_letter_that_is_cut_fits_and_loses_no_more_than_it_must(value, key, headers, limit):
    whole = letter(value, key, headers)
    cut = shortened(whole, limit, REASONS)
    assert size(cut) <= limit
    assert (cut == whole) == (size(whole) <= limit)
    assert (value or b"").startswith(cut[1] or b"")
    assert (key or b"").startswith(cut[2] or b"")
    assert (cut[1] is None) == (value is None)
    assert (cut[2] is None) == (key is None)
    assert dict(cut[7])[REASONS + "stage"] == b"stage"
