"""ApplicationDriver: how it is moved along, and what a commit, an abort and a crash do."""

from random import Random

from tests.properties import samples
from tests.unit.testing.drivers import driver, total
from wallaroo.testing import Pace


def test_what_goes_in_comes_out():
    made = driver("rex:1", "rex:2", "fido:5")
    made.run()
    assert sorted(made.read("out")) == [b"1", b"3", b"5"]
    assert (total(made, "rex"), total(made, b"fido"), total(made, "nobody")) == (3, 5, None)


def test_nothing_is_to_be_seen_before_it_is_committed():
    made = driver("rex:1", application=samples.partitioned())
    assert made.step(5) == 1
    assert (made.read("out"), total(made, "rex")) == ([], None)
    made.commit()
    assert (made.read("out"), total(made, "rex")) == ([b"1"], 1)


def test_steps_go_no_further_than_what_is_committed():
    made = driver("rex:1")
    assert (made.step(5), made.step(5)) == (1, 0)
    made.commit()
    assert made.step(5) == 1


def test_a_crash_loses_what_is_not_committed_and_nothing_else():
    made = driver("rex:1", "rex:2", "rex:4", application=samples.partitioned(), pace=Pace(1))
    made.step()
    made.commit()
    made.step()
    made.crash()
    assert made.read("out") == [b"1"]
    made.run()
    assert made.read("out") == [b"1", b"3", b"7"]


def test_a_crash_takes_a_commit_in_flight_with_it():
    made = driver("rex:1", application=samples.partitioned())
    made.step()
    made.begin_commit()
    made.crash()
    assert (made.read("out"), total(made, "rex")) == ([], None)


def test_a_commit_in_flight_lands_with_the_next():
    made = driver("rex:1", "rex:2", application=samples.partitioned(), pace=Pace(1))
    made.step()
    made.begin_commit()
    made.step()
    assert made.read("out") == []
    made.commit()
    assert made.read("out") == [b"1", b"3"]


def test_an_abort_undoes_what_is_in_flight_and_what_came_after_it():
    made = driver("rex:1", "rex:2", application=samples.partitioned(), pace=Pace(1))
    made.step()
    made.begin_commit()
    made.step()
    made.abort()
    assert made.read("out") == []
    made.run()
    assert made.read("out") == [b"1", b"3"]


def test_commits_can_be_made_every_few_records():
    made = driver("rex:1", "rex:2", "rex:4", application=samples.partitioned(), pace=Pace(1, commit_every=2))
    made.step(3)
    assert made.read("out") == [b"1", b"3"]


def test_offsets_have_gaps_where_transactions_end():
    made = driver("rex:1", "rex:2", application=samples.partitioned(), pace=Pace(1, commit_every=1))
    made.run()
    assert [record.offset for record in made.records("out")] == [0, 2]


def test_the_order_of_tasks_is_the_callers_and_repeatable():
    orders = [[record.key for record in run(seed).records("out")] for seed in (1, 1, 2, 3, 4)]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) > 1


def run(seed):
    made = driver(*(f"{n}:1" for n in range(8)), pace=Pace(1, order=Random(seed).choice))  # noqa: S311
    made.run()
    return made
