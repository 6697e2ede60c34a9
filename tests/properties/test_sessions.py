"""Sessions against a model that compares every message with every other, whatever happens meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import window_samples as samples
from tests.properties.streams import paces, scripts
from tests.properties.test_windows import expected_of_partitions
from tests.properties.window_model import Message, source
from tests.properties.window_samples import (
    AGGREGATIONS,
    ERAS,
    MS,
    Gap,
    behind_a_hop,
    close_all,
    countings,
    expected,
    gaps,
    messages,
    open_keys,
    read,
    run_through,
    shapes,
    without_hop,
)

each_aggregation = pytest.mark.parametrize("aggregation", AGGREGATIONS)
declared_times = st.booleans()


@each_aggregation
@given(messages(eras=ERAS), gaps(), scripts(), paces(), declared_times)
def test_sessions_of_each_partition(aggregation, sent, gap, script, pace, declared):
    application = without_hop(gap.declared(aggregation), declared_time=declared)
    driver = close_all(run_through(application, sent, script, pace))
    assert read(driver) == expected_of_partitions(sent, 4, gap)
    assert open_keys(driver, [f"app-{aggregation.__name__.lower()}-changelog"]) == set()


@each_aggregation
@given(messages(eras=ERAS), gaps(), scripts(), paces(), declared_times)
def test_sessions_behind_a_hop(aggregation, sent, gap, script, pace, declared):
    application = behind_a_hop(gap.declared(aggregation), declared_time=declared)
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    assert read(driver) == expected(source(sent), gap)
    assert open_keys(driver, [f"app-{aggregation.__name__.lower()}-changelog"]) == set()


stages = shapes() | gaps() | countings()


# Not over counted messages: behind a hop, commits decide the order of late results and sessions that fire.
@given(messages(eras=ERAS), gaps(), shapes() | gaps(), scripts(), paces())
def test_windows_over_sessions(sent, first, second, script, pace):
    declared = (first.declared(), second.declared(samples.GatherAgain))
    driver = close_all(run_through(behind_a_hop(*declared), sent, script, pace, {"in": 1}))
    assert in_any_order(read(driver)) == in_any_order(expected(source(sent), first, second))


@given(messages(eras=ERAS), stages, gaps(), scripts(), paces())
def test_sessions_over_windows(sent, first, second, script, pace):
    declared = (first.declared(), second.declared(samples.GatherAgain))
    driver = close_all(run_through(without_hop(*declared), sent, script, pace))
    assert read(driver) == expected_of_partitions(sent, 4, first, second)


def in_any_order(found):
    return {key: sorted(made) for key, made in found.items()}


def test_behind_a_hop_a_session_that_has_fired_is_not_joined_wherever_commits_fall():
    """The message would not be late by itself; a report of the watermark has to come before it, too."""
    sent = [Message("a", 0, 0), Message("b", 1, 12 * MS), Message("a", 2, 9 * MS)]
    driver = close_all(run_through(behind_a_hop(Gap(10).declared()), sent, partitions={"in": 1}))
    assert read(driver)["a"] == [((0,), 10), ((2,), 19)]
