"""When a commit is due, and how much is read at once."""

import pytest

from wallaroo.engine.pacing import CommitPacing, PollSize


def pace(linger=0.0):
    return CommitPacing(0.1, linger, most_records=100, started=10.0, ended=10.0)


def due(pending=1, *, now=10.0, dry=False, in_progress=False, linger=0.0):
    return pace(linger).is_due(now, pending, dry=dry, in_progress=in_progress)


def test_nothing_is_never_committed():
    assert not due(0, now=99, dry=True)


def test_a_commit_is_due_as_soon_as_the_input_has_run_dry():
    assert due(now=10.0, dry=True)


def test_a_commit_that_lingers_waits_for_more_after_the_last_one():
    assert not due(now=10.004, dry=True, linger=0.005)
    assert due(now=10.006, dry=True, linger=0.005)
    assert pace(0.005).linger_left(10.004) == pytest.approx(0.001)


def test_under_load_nothing_lingers():
    assert due(now=10.11, linger=0.5)


def test_under_load_a_commit_is_due_by_interval():
    assert not due(now=10.09)
    assert due(now=10.11)


def test_a_commit_in_progress_lets_the_next_batch_grow():
    assert not due(99, now=99, dry=True, in_progress=True)


def test_a_batch_that_is_as_large_as_may_be_waits_for_the_one_in_progress():
    assert due(100, in_progress=True)


def test_lists_are_as_long_as_may_be_where_user_code_is_quick():
    size = PollSize(1000)
    size.took(1000, 1000, 0.01)
    assert size.value == 1000


@pytest.mark.parametrize(("records", "seconds", "value"), [(1000, 2, 500), (1000, 100, 10), (10, 500, 1)])
def test_slow_user_code_shortens_the_lists_to_a_second(records, seconds, value):
    size = PollSize(1000)
    size.took(records, records, seconds)
    assert size.value == value


def test_lists_grow_again():
    size = PollSize(1000, value=0)
    size.took(1000, 1000, 3)
    assert size.value == 333
    size.took(333, 333, 0.1)
    size.took(666, 666, 0.1)
    assert size.value == 1000


def test_lists_of_batches_hold_as_many_records_as_other_lists():
    size = PollSize(1000, value=10)
    size.took(10, 2_500, 0.1)
    assert size.value == 4
    size.took(1, 5_000, 0.1)
    assert size.value == 1


def test_lists_of_record_batches_begin_small_and_grow_where_nothing_has_batches():
    size = PollSize(1000, value=10)
    size.took(10, 10, 0.01)
    assert size.value == 20
    assert PollSize(5, value=10).value == 5
