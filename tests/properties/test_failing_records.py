"""User code that raises anywhere, on any record: those are dead letters, and nothing else has changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import samples
from tests.properties.samples import FAILURES
from tests.properties.streams import (
    KEYS,
    Sent,
    driven,
    failing,
    feed,
    final_totals,
    outputs,
    paces,
    partitions,
    rejected,
    running_totals,
    scripts,
    stored_totals,
    streams,
)
from wallaroo.errors import StopProcessing
from wallaroo.testing import ApplicationDriver

each_state = pytest.mark.parametrize("state_class", samples.STATES)


@each_state
@given(streams(FAILURES), scripts(), paces(), partitions())
def test_behind_a_hop(state_class, sent, script, pace, counts):
    driver = driven(samples.hopping(state_class), sent, script, pace, counts)
    assert rejected(driver) == failing(sent)
    assert outputs(driver) == running_totals(sent)
    assert stored_totals(driver, "total", KEYS) == final_totals(sent)


@each_state
@given(streams(FAILURES), scripts(), paces(), partitions())
def test_without_a_hop(state_class, sent, script, pace, counts):
    driver = driven(samples.partitioned(state_class), sent, script, pace, counts)
    assert rejected(driver) == failing(sent)
    assert outputs(driver) == running_totals(sent)
    assert stored_totals(driver, "total", KEYS) == final_totals(sent)


@given(
    streams((samples.UNREADABLE, samples.UNCOMPUTED, samples.UNWRITABLE)), scripts(), paces(), partitions()
)
def test_without_state(sent, script, pace, counts):
    driver = driven(samples.stateless(), sent, script, pace, counts)
    assert rejected(driver) == failing(sent)


@each_state
@given(streams(FAILURES), scripts(), paces(), partitions())
def test_skipped(state_class, sent, script, pace, counts):
    driver = driven(samples.hopping(state_class), sent, script, pace, counts, on_error="skip")
    assert driver.dead_letters() == []
    assert outputs(driver) == running_totals(sent)
    assert stored_totals(driver, "total", KEYS) == final_totals(sent)


@each_state
@given(streams(FAILURES), paces(), partitions(), st.sampled_from(FAILURES))
def test_a_service_that_stops_has_committed_nothing_of_the_batch(state_class, sent, pace, counts, deed):
    driver = ApplicationDriver(samples.hopping(state_class), counts, "stop", pace)
    feed(driver, [*sent, Sent("a", 1, deed)])
    with pytest.raises(StopProcessing, match="on_error is 'stop'"):
        driver.run()
    assert driver.dead_letters() == []
    assert all(totals == running_totals(sent)[key][: len(totals)] for key, totals in outputs(driver).items())
