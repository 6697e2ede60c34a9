"""User code that raises anywhere, on any record: those are dead letters, and nothing else has changed."""

import pytest
from hypothesis import given

from tests.properties import samples
from tests.properties.samples import FAILURES
from tests.properties.streams import (
    KEYS,
    driven,
    failing,
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
