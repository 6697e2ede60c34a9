"""What a new version of an application finds where an old one has run, as `describe --compare` says it."""

import json

import pytest

import wallaroo
from tests.properties import samples
from tests.properties.samples import extract_key, finished, look, source, totals
from tests.properties.window_samples import Shape, behind_a_hop
from wallaroo.topology.compare import Effect, compare
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.describe import describe

TOTALS = totals("total", samples.Plain)


def hop(*stages):
    pipeline = source().key_by(extract_key)
    for stage in stages:
        pipeline = pipeline.to(stage)
    return finished(pipeline)


def described(application, application_id="app"):
    return json.loads(describe(compile_topology(application, application_id), "json"))


def found(old, new):
    """Every change: its effect and what it is about, and whether a state is lost."""
    changes = compare(described(old), described(new))
    return [(each.effect, each.what) for each in changes], any(each.loses_state for each in changes)


@pytest.mark.parametrize(
    "new",
    [hop(TOTALS), hop(look, TOTALS), hop(TOTALS, samples.double)],
    ids=["nothing", "a stage before", "a stage behind"],
)
def test_stages_without_state_change_nothing_on_the_cluster(new):
    assert found(hop(TOTALS), new) == ([], False)


def test_a_stage_with_state_that_is_added_begins_empty():
    assert found(hop(TOTALS), hop(TOTALS, totals("further", samples.Plain))) == (
        [(Effect.CREATED, "state of 'further'")],
        False,
    )


def test_a_stage_with_state_that_is_removed_loses_it():
    assert found(hop(TOTALS, totals("further", samples.Plain)), hop(TOTALS)) == (
        [(Effect.LEFT_BEHIND, "state of 'further'")],
        True,
    )


def test_a_stage_with_state_that_is_renamed_loses_it():
    assert found(hop(TOTALS), hop(totals("sum", samples.Plain))) == (
        [(Effect.RENAMED, "state of 'sum'")],
        True,
    )


@pytest.mark.parametrize("new", [Shape(20, 20), Shape(15, 10), Shape(10, 10, offset=3)])
def test_windows_of_another_layout_are_refused(new):
    changes, loses_state = found(windows(Shape(10, 10)), windows(new))
    assert [effect for effect, _ in changes] == [Effect.REFUSED]
    assert not loses_state


@pytest.mark.parametrize("new", [Shape(20, 10), Shape(10, 10, delay=5, policy="fire-per-message")])
def test_windows_of_the_same_layout_go_on(new):
    assert found(windows(Shape(10, 10)), windows(new)) == ([], False)


def windows(shape):
    return behind_a_hop(shape.declared(), declared_time=True)


def test_another_application_id_begins_anew():
    changes = compare(described(hop(TOTALS), "one"), described(hop(TOTALS), "two"))
    assert changes[0].effect is Effect.RENAMED
    assert changes[0].what == "application 'two'"
    assert any(change.loses_state for change in changes)


def test_state_behind_a_new_key_is_refused():
    def other_key(value):
        return value

    changes, _ = found(
        hop(TOTALS), finished(source().key_by(samples.wallaroo.key_extractor(other_key)).to(TOTALS))
    )
    assert (Effect.REFUSED, "state of 'total'") in changes


def test_a_group_of_another_name_reads_its_source_again():
    changes, _ = found(finished(source().to(look)), finished(source("other").to(look)))
    assert (Effect.REPROCESSED, "group app-other") in changes
    assert (Effect.LEFT_BEHIND, "group app-in") in changes


def lived(ttl):
    options = {} if ttl is None else {"ttl": wallaroo.hours(ttl)}
    return hop(wallaroo.state_computation("total", samples.Plain, **options)(lambda message, _state: message))


@pytest.mark.parametrize(("old", "new"), [(None, 5), (7, 5)])
def test_a_ttl_that_ends_states_earlier_is_said_and_loses_none_that_is_to_be_kept(old, new):
    changes, loses_state = found(lived(old), lived(new))
    assert (Effect.EXPIRES, "state of 'total'") in changes
    assert not loses_state


@pytest.mark.parametrize(("old", "new"), [(5, 5), (5, 7), (5, None)])
def test_a_ttl_that_keeps_states_longer_ends_none(old, new):
    changes, loses_state = found(lived(old), lived(new))
    assert Effect.EXPIRES not in [effect for effect, _ in changes]
    assert not loses_state
