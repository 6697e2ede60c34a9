"""The checker finds what is lost, doubled, out of order or wrong, and forgives what was not promised."""

import json
import random

import pytest

from tests.faults import results
from tests.faults.app import application_setup
from tests.faults.checker import (
    Expected,
    Verdict,
    check,
    check_beginning,
    check_dead,
    check_states,
    longest_stall,
)
from tests.faults.kinds import all_kinds
from tests.faults.shapes import (
    AHEAD,
    BEHIND,
    RIGHT,
    SHAPES,
    clock_message,
    closers,
    sorted_out,
    without_states,
)
from tests.kafka import window_app
from wallaroo.testing import ApplicationDriver

EXPECTED = Expected({"rex": ["1", "2", "3"], "fido": ["1"]})


@pytest.mark.parametrize(
    ("found", "repeats", "verdict"),
    [
        (["1", "2", "3"], False, Verdict()),
        (["1", "3"], False, Verdict(lost=1)),
        (["1", "2", "2", "3"], False, Verdict(doubled=1)),
        (["2", "1", "3"], False, Verdict(out_of_order=1)),
        (["1", "2", "1", "2", "3"], True, Verdict(repeated=2)),
        (["1", "3", "2", "3"], True, Verdict(out_of_order=1, repeated=1)),
        (["1", "2", "4"], False, Verdict(lost=1, wrong=("rex: 1 unexpected, the first is 4",))),
    ],
)
def test_results_are_judged_key_by_key(found, repeats, verdict):
    assert check(EXPECTED, {"rex": found, "fido": ["1"]}, repeats) == verdict


def test_a_key_without_any_result_has_lost_all_and_a_strange_one_is_wrong():
    verdict = check(EXPECTED, {"rex": ["1", "2", "3"], "cat": ["1"]}, repeats=False)
    assert verdict == Verdict(lost=1, wrong=("cat: 1 unexpected, the first is 1",))
    assert not verdict.is_right


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({"rex": ["1", "2"]}, 0),
        ({"rex": ["1", "2", "3"], "fido": []}, 0),
        ({"rex": ["2"]}, 1),
        ({"cat": ["1"]}, 1),
    ],
)
def test_what_came_before_all_began_anew_is_the_beginning_of_what_comes_after(found, wrong):
    assert len(check_beginning(EXPECTED, found)) == wrong


@pytest.mark.parametrize(
    ("found", "repeats", "wrong"),
    [
        (["a", "a", "b"], False, []),
        (["a", "b"], False, ["1 dead letters are missing, the first is a"]),
        (["a", "a", "b", "c"], False, ["1 dead letters are too many, the first is c"]),
        (["a", "b", "b"], True, []),
    ],
)
def test_dead_letters_are_as_many_as_malformed_inputs(found, repeats, wrong):
    assert check_dead(["a", "a", "b"], found, repeats) == wrong


def test_a_state_that_differs_is_named():
    assert check_states({"rex": 1}, {"rex": 1}) == []
    assert check_states({"rex": 1}, {"rex": 2}) == ["1 states differ, the first: rex is 2, not 1"]


def test_a_stall_does_not_last_while_nothing_can_arrive():
    assert longest_stall([0.0, 1.0, 9.0], away=[]) == 8.0
    assert longest_stall([0.0, 1.0, 9.0], away=[(2.0, 7.0), (8.5, 20.0)]) == 2.5
    assert longest_stall([], away=[]) == 0


class Message:
    """What a reader gets of a record."""

    def __init__(self, sent):
        self._sent = sent

    def key(self):
        return self._sent.key.encode()

    def value(self):
        value = self._sent.value
        return value.encode() if isinstance(value, str) else value


def test_the_model_of_windows_says_what_the_application_does():
    shape = SHAPES["windows"]
    topics = ["--in-topic=in", "--out-topic=out"]
    driver = ApplicationDriver(window_app.application_setup([*shape.arguments, *topics]), partitions=4)
    sent = shape.load(random.Random(5), 2_000)  # noqa: S311 - chance, not secrets
    for record in sent:
        driver.send("in", record.value, key=record.key, timestamp_ms=record.timestamp_ms)
    for record in closers(4):
        driver.send("in", record.value, timestamp_ms=record.timestamp_ms, partition=record.partition)
    driver.run()
    expected = shape.expected([Message(record) for record in sent])
    assert len(driver.read("out")) == expected.count > 200


@pytest.mark.parametrize("name", ["keyed", "hop", "count"])
def test_the_model_of_a_shape_says_what_the_application_does(name):
    shape = SHAPES[name]
    topics = ["--in-topic=in", "--out-topic=out"]
    driver = ApplicationDriver(application_setup([*shape.arguments, *topics]), partitions=4)
    sent = shape.load(random.Random(5), 500)  # noqa: S311 - chance, not secrets
    for record in sent:
        driver.send("in", record.value, key=record.key)
    driver.run()
    expected = shape.expected([Message(record) for record in sent])
    wanted = [result.encode() for found in expected.results.values() for result in found]
    assert sorted(driver.read("out")) == sorted(wanted)
    assert len(driver.dead_letters()) == len(expected.dead)


def test_of_clocks_that_are_wrong_the_late_do_not_count_and_those_ahead_are_dead_letters():
    sent = [clock_message("key-1", n, 10_000, clock=clock) for n, clock in enumerate((RIGHT, BEHIND, AHEAD))]
    expected = SHAPES["clock"].expected([Message(record) for record in sent])
    assert expected.results == {"key-1": ["11000:[0]", "12000:[0]"]}
    assert len(expected.dead) == 1


def test_where_results_may_repeat_only_their_numbers_count():
    expected = without_states(Expected({"rex": ["7:1:10", "7:2:20", "9:3:5"]}))
    assert expected.results == {"rex": ["7", "9"]}
    assert sorted_out([("rex", "7:1:10"), ("rex", "9:3:5")], only_number=True) == {"rex": ["7", "9"]}


ROW = {
    "seed": 1,
    "kind": "worker-kill",
    "faults": 2,
    "records": 1_000,
    "alerts": 900,
    "lost": 0,
    "doubled": 0,
    "out_of_order": 0,
    "longest_stall_seconds": 1.5,
    "ended": "settled",
}


def test_the_table_sums_the_runs_of_a_kind():
    rows = [ROW, {**ROW, "longest_stall_seconds": 3.0, "ended": "hung"}]
    *_, kind, everything = results.table(rows).splitlines()
    assert kind == "| worker-kill | 2 | 4 | 2,000 | 1,800 | 0 | 0 | 0 | 3.0 s | 1 |"
    assert everything == kind.replace("worker-kill", "all")


def test_what_is_written_is_read_again(tmp_path):
    file = tmp_path / "results.json"
    results.write([ROW, ROW], file)
    assert results.read(file) == json.loads(file.read_text()) == [ROW, ROW]


def test_the_table_takes_its_place_on_the_page_and_nothing_else():
    page = results.PAGE.read_text()
    once = results.rendered(page, [ROW])
    assert results.table([ROW]) in once
    assert results.rendered(once, [ROW]) == once
    assert results.rendered(once, []) == results.rendered(page, [])


def test_the_page_says_what_each_kind_does():
    page = results.PAGE.read_text()
    assert [name for name in all_kinds() if f"`{name}`" not in page] == []
