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
    found, model = read(driver), expected(source(sent), shape)
    # Final results wait for the watermark, early ones do not: of two windows, commits decide which is first.
    assert (early_ones(found), final_ones(found)) == (early_ones(model), final_ones(model))
    assert early_after_final(found) == []
    assert open_keys(driver, CHANGELOG) == set()


@given(messages(eras=ERAS), early, scripts(), paces())
def test_the_final_results_are_those_without_early_ones(sent, shape, script, pace):
    driver = close_all(run_through(behind_a_hop(shape.declared(GatherKnown)), sent, script, pace, {"in": 1}))
    final = {key: [(v[3], at) for v, at in made] for key, made in final_ones(read(driver)).items()}
    assert final == expected(source(sent), replace(shape, early=None))


def early_ones(results):
    return {key: kept for key, made in results.items() if (kept := [each for each in made if not each[0][2]])}


def final_ones(results):
    return {key: kept for key, made in results.items() if (kept := [each for each in made if each[0][2]])}


def early_after_final(results):
    """The windows of which an early result comes after the final one."""
    wrong = []
    for key, made in results.items():
        closed = set()
        for (start, end, is_final, _), _ in made:
            if is_final:
                closed.add((start, end))
            elif (start, end) in closed:
                wrong.append((key, start, end))
    return wrong
