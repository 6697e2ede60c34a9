"""Crashes, aborts and commits at any place leave outputs and state as if nothing had happened."""

import pytest
from hypothesis import given

from tests.properties import samples
from tests.properties.streams import (
    KEYS,
    by_key,
    driven,
    final_totals,
    outputs,
    paces,
    partitions,
    running_totals,
    scripts,
    stored_totals,
    streams,
)

each_state = pytest.mark.parametrize("state_class", samples.STATES)


@each_state
@given(streams(), scripts(), paces(), partitions())
def test_totals_behind_a_hop(state_class, sent, script, pace, counts):
    driver = driven(samples.hopping(state_class), sent, script, pace, counts)
    assert outputs(driver) == running_totals(sent)
    assert stored_totals(driver, "total", KEYS) == final_totals(sent)
    assert driver.dead_letters() == []


@each_state
@given(streams(), scripts(), paces(), partitions())
def test_totals_of_a_source_that_is_partitioned_already(state_class, sent, script, pace, counts):
    driver = driven(samples.partitioned(state_class), sent, script, pace, counts)
    assert outputs(driver) == running_totals(sent)
    assert stored_totals(driver, "total", KEYS) == final_totals(sent)


@each_state
@given(streams(), scripts(), paces(), partitions())
def test_computations_that_make_several_of_one(state_class, sent, script, pace, counts):
    driver = driven(samples.multiplying(state_class), sent, script, pace, counts)
    doubled = running_totals([record for record in sent for _ in range(2)])
    assert outputs(driver) == {key: [t for t in totals for _ in range(2)] for key, totals in doubled.items()}
    assert stored_totals(driver, "total", KEYS) == {key: 2 * t for key, t in final_totals(sent).items()}


@each_state
@given(streams(topics=("in", "other")), scripts(), paces(), partitions())
def test_two_sources_that_are_merged(state_class, sent, script, pace, counts):
    driver = driven(samples.merging(state_class), sent, script, pace, counts)
    assert stored_totals(driver, "total", KEYS) == final_totals(sent)
    assert {k: len(v) for k, v in outputs(driver).items()} == {
        key: len(totals) for key, totals in running_totals(sent).items()
    }


@each_state
@given(streams(), scripts(), paces(), partitions())
def test_totals_of_totals(state_class, sent, script, pace, counts):
    driver = driven(samples.chained(state_class), sent, script, pace, counts)
    said = {key: sum(totals) for key, totals in running_totals(sent).items()}
    assert stored_totals(driver, "total", KEYS) == final_totals(sent)
    assert stored_totals(driver, "grand total", "abß日") == sums_by_initial(said)


@each_state
@given(streams(), scripts(), paces(), partitions())
def test_one_total_for_the_whole_stream(state_class, sent, script, pace, counts):
    driver = driven(samples.collecting(state_class), sent, script, pace, counts)
    state = driver.state("total")
    assert (state.total if state else 0) == sum(final_totals(sent).values())


@given(streams(), scripts(), paces(), partitions())
def test_a_stream_without_state(sent, script, pace, counts):
    driver = driven(samples.stateless(), sent, script, pace, counts)
    expected = {key: [r.amount for r in found if r.deed != "dropped"] for key, found in by_key(sent).items()}
    assert outputs(driver) == {key: amounts for key, amounts in expected.items() if amounts}


def sums_by_initial(totals):
    sums = {}
    for key, total in totals.items():
        sums[key[0]] = sums.get(key[0], 0) + total
    return sums
