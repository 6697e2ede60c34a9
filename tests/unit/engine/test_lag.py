"""How many records wait, by offsets that are no records."""

import pytest

from wallaroo.engine.lag import Density, LagBook, Reached

AT = ("hop", 0)


def density(records=0, offsets=0):
    made = Density()
    if offsets:
        made.read(records, 0, offsets)
    return made


def update(book, now, done, end, known=None):
    reached = {AT: Reached(done, known or density())}
    lags = book.update(now, reached, {AT: end})
    return lags[AT], book.to_sample(now, reached)


def test_nothing_waits_once_all_is_done():
    assert update(LagBook(has_batches=True), 0, done=7, end=7) == (0, [])


def test_what_waits_is_reckoned_by_what_was_read_last_while_a_partition_keeps_up():
    book = LagBook(has_batches=True)
    for now in range(5):
        done = 1_000 + now * 100
        assert update(book, now, done, done + 50, density(10_000, 200)) == (2_500, [])


def test_of_a_partition_that_is_behind_what_waits_is_looked_at():
    book, known = LagBook(has_batches=True), density(200, 200)
    update(book, 0, 0, 900, known)
    assert update(book, 1, 5, 950, known) == (945, [])
    assert update(book, 2, 10, 1_010, known)[1] == [(AT, 10, 1_010)]
    book.sampled(AT, 2.1, 90.0, 0.1)
    assert update(book, 3, 10, 1_010, known) == (90_000, [])


def test_it_is_looked_at_again_now_and_then_while_that_costs_little():
    book, known = LagBook(has_batches=True), density(200, 200)
    update(book, 0, 0, 900, known)
    update(book, 2, 0, 900, known)
    book.sampled(AT, 2, 90.0, 2.0)
    assert update(book, 21, 0, 900, known)[1] == []
    assert update(book, 22, 0, 900, known)[1] != []


def test_once_it_has_caught_up_what_was_read_counts_again():
    book, known = LagBook(has_batches=True), density(1_000, 200)
    update(book, 0, 0, 900, known)
    update(book, 2, 0, 900, known)
    book.sampled(AT, 2, 90.0, 0.1)
    assert update(book, 3, 900, 902, known) == (10, [])


def test_a_repartition_topic_of_which_nothing_was_read_is_looked_at_at_once():
    assert update(LagBook(has_batches=True), 0, 0, 30)[1] == [(AT, 0, 30)]


def test_a_source_whose_offsets_are_records_is_never_looked_at():
    book, known = LagBook(has_batches=False), density(200, 200)
    assert [update(book, now, 0, 900, known) for now in range(9)] == [(900, [])] * 9


def test_a_source_with_ends_of_transactions_between_its_records_is():
    book, known = LagBook(has_batches=False), density(100, 200)
    assert update(book, 0, 0, 900, known) == (450, [])
    assert update(book, 3, 0, 900, known)[1] == [(AT, 0, 900)]


def test_a_partition_that_has_moved_away_is_forgotten():
    book = LagBook(has_batches=True)
    update(book, 0, 0, 900)
    assert book.update(9, {}, {}) == {}
    assert update(book, 10, 0, 900)[0] == 900


def test_a_partition_whose_end_nobody_knows_is_not_shown():
    assert LagBook(has_batches=True).update(0, {AT: Reached(0, density())}, {}) == {}


def test_the_gaps_between_slices_count_as_offsets_without_records():
    made = Density()
    made.read(10, 0, 10)
    made.read(10, 30, 40)
    assert made.value == pytest.approx(0.5)


def test_reading_again_after_a_rollback_counts_no_gap():
    made = Density()
    made.read(40, 0, 40)
    made.read(10, 20, 30)
    assert made.value == 1


def test_the_last_few_thousand_offsets_say_how_dense_a_partition_is():
    made = Density()
    made.read(100_000, 0, 1_000)
    for n in range(40):
        made.read(300, 1_000 + n * 1_000, 2_000 + n * 1_000)
    assert made.value == pytest.approx(0.3, rel=0.05)
