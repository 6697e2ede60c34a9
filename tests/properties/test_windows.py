"""Windows against a model that looks at every window, whatever happens to the service meanwhile."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import window_samples as samples
from tests.properties.streams import paces, scripts
from tests.properties.window_model import source
from tests.properties.window_samples import (
    AGGREGATIONS,
    ERAS,
    behind_a_hop,
    close_all,
    countings,
    expected,
    messages,
    open_keys,
    read,
    run_through,
    shapes,
    without_hop,
)

each_aggregation = pytest.mark.parametrize("aggregation", AGGREGATIONS)
declared_times = st.booleans()


def by_partition(sent, partitions):
    found = {}
    for message in sent:
        found.setdefault(crc32(message.key.encode()) % partitions, []).append(message)
    return found.values()


def expected_of_partitions(sent, partitions, *stages):
    """What comes of partitions that are tasks of their own."""
    made = [expected(source(some), *stages) for some in by_partition(sent, partitions)]
    return {key: of_key for one in made for key, of_key in one.items()}


@each_aggregation
@given(messages(eras=ERAS), shapes(), scripts(), paces(), declared_times)
def test_range_windows_of_each_partition(aggregation, sent, shape, script, pace, declared):
    application = without_hop(shape.declared(aggregation), declared_time=declared)
    driver = close_all(run_through(application, sent, script, pace))
    assert read(driver) == expected_of_partitions(sent, 4, shape)
    assert open_keys(driver, [f"app-{aggregation.__name__.lower()}-changelog"]) == set()


@each_aggregation
@given(messages(eras=ERAS), shapes(), scripts(), paces(), declared_times)
def test_range_windows_behind_a_hop(aggregation, sent, shape, script, pace, declared):
    application = behind_a_hop(shape.declared(aggregation), declared_time=declared)
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    assert read(driver) == expected(source(sent), shape)
    assert open_keys(driver, [f"app-{aggregation.__name__.lower()}-changelog"]) == set()


@given(messages(eras=ERAS), shapes(), shapes(), scripts(), paces())
def test_windows_over_windows_without_a_hop(sent, first, second, script, pace):
    stages = (first.declared(), second.declared(samples.GatherAgain))
    driver = close_all(run_through(without_hop(*stages), sent, script, pace))
    assert read(driver) == expected_of_partitions(sent, 4, first, second)


@given(messages(eras=ERAS), shapes(), shapes(), scripts(), paces())
def test_windows_over_windows_behind_a_hop(sent, first, second, script, pace):
    stages = (first.declared(), second.declared(samples.GatherAgain))
    driver = close_all(run_through(behind_a_hop(*stages), sent, script, pace, {"in": 1}))
    assert read(driver) == expected(source(sent), first, second)


@each_aggregation
@given(messages(eras=ERAS), countings(), scripts(), paces())
def test_count_windows(aggregation, sent, counting, script, pace):
    driver = close_all(run_through(behind_a_hop(counting.declared(aggregation)), sent, script, pace))
    made = {key: [value for value, _ in found] for key, found in read(driver).items()}
    wanted = {
        key: [tuple(sorted(v)) for v, _ in found] for key, found in expected(source(sent), counting).items()
    }
    assert made == wanted


@given(messages(eras=ERAS), countings(), shapes(), scripts(), paces())
def test_range_windows_over_count_windows(sent, counting, shape, script, pace):
    stages = (counting.declared(), shape.declared(samples.GatherAgain))
    driver = close_all(run_through(behind_a_hop(*stages), sent, script, pace, {"in": 1}))
    assert read(driver) == expected(source(sent), counting, shape)
