"""Early results against the model of windows, whatever happens to the service meanwhile."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.streams import paces, scripts
from tests.properties.test_windows import expected_of_partitions
from tests.properties.window_model import source
from tests.properties.window_samples import (
    ERAS,
    GatherKnown,
    behind_a_hop,
    close_all,
    expected,
    messages,
    open_keys,
    read,
    run_through,
    timed,
    without_hop,
)

CHANGELOG = ["app-gatherknown-changelog"]
# 0 is an early result with every message.
early = st.builds(lambda shape, every: replace(shape, early=every), timed(), st.just(0) | st.integers(1, 12))


@given(messages(eras=ERAS), early, scripts(), paces())
def test_early_results_of_each_partition(sent, shape, script, pace):
    driver = close_all(run_through(without_hop(shape.declared(GatherKnown)), sent, script, pace))
    assert read(driver) == expected_of_partitions(sent, 4, shape)
    assert open_keys(driver, CHANGELOG) == set()


@given(messages(eras=ERAS), early, scripts(), paces(), st.booleans())
def test_early_results_behind_a_hop(sent, shape, script, pace, declared):
    application = behind_a_hop(shape.declared(GatherKnown), declared_time=declared)
    driver = close_all(run_through(application, sent, script, pace, {"in": 1}))
    assert read(driver) == expected(source(sent), shape)
    assert open_keys(driver, CHANGELOG) == set()


@given(messages(eras=ERAS), early, scripts(), paces())
def test_the_final_results_are_those_without_early_ones(sent, shape, script, pace):
    driver = close_all(run_through(behind_a_hop(shape.declared(GatherKnown)), sent, script, pace, {"in": 1}))
    final = {key: [(v[3], at) for v, at in made if v[2]] for key, made in read(driver).items()}
    plain = expected(source(sent), replace(shape, early=None))
    assert {key: made for key, made in final.items() if made} == plain
