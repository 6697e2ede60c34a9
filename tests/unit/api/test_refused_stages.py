"""What `to`, `key_by` and `collect` refuse, and how they say so."""

import pytest

import wallaroo
from tests.samples import (
    TCP_SINK,
    Count,
    decode,
    encode,
    history,
    look,
    plain,
    source,
    split,
    total,
    user,
    windows,
)


def refused(match):
    return pytest.raises(wallaroo.WallarooParameterError, match=match)


@pytest.mark.parametrize(
    ("stage", "advice"),
    [
        (plain, "decorate it first"),
        (len, "decorate it first"),
        (Count, r"an aggregation needs windows: .*range_windows"),
        (Count(), r"an aggregation needs windows: .*range_windows"),
        (wallaroo.range_windows(9), r"add \.over\("),
        (wallaroo.count_windows(9), r"add \.over\("),
        (user, r"belongs in \.key_by"),
        (encode, "belongs in the configuration of a sink"),
        (decode, "belongs in the configuration of a source"),
        (TCP_SINK, r"belongs in \.to_sink"),
        (None, "a stage is a decorated computation"),
        ("look", "a stage is a decorated computation"),
    ],
)
def test_only_computations_and_finished_windows_are_stages(stage, advice):
    with refused(advice):
        source().to(stage)


def test_an_aggregation_needs_windows_even_without_the_base_class():
    class Duck:
        initial_accumulator = update = combine = output = name = plain

    with refused("an aggregation needs windows"):
        source().to(Duck)


@pytest.mark.parametrize("stage", [look, split, total, history, windows()])
def test_every_kind_of_stage_is_accepted(stage):
    assert source().to(stage).steps[0].stage is stage


def test_a_refusal_names_the_source_and_the_stage_before():
    with refused("the pipeline of 'in' after stage 'look'.*the function plain"):
        source().to(look).to(plain)


@pytest.mark.parametrize("stage", [look, total])
def test_the_same_stage_twice_is_a_duplicate_name(stage):
    pipeline = source().to(stage)
    with refused("a stage named .* is there already"):
        pipeline.to(stage)


def test_two_stages_of_one_name_are_refused():
    namesake = wallaroo.computation("look")(plain)
    pipeline = source().to(look).key_by(user)
    with refused("a stage named 'look' is there already"):
        pipeline.to(namesake)


def test_two_windows_over_one_aggregation_are_refused():
    pipeline = source().to(windows())
    with refused("a stage named 'Count' is there already"):
        pipeline.to(wallaroo.count_windows(5).over(Count))


def test_a_name_used_in_a_merged_branch_is_taken():
    pipeline = source("a").to(look).merge(source("b"))
    with refused("a stage named 'look' is there already"):
        pipeline.to(look)


@pytest.mark.parametrize("extractor", [plain, look, None, "user"])
def test_only_a_decorated_key_extractor_is_a_key(extractor):
    with refused("decorate a function with @wallaroo.key_extractor"):
        source().key_by(extractor)


def test_key_by_right_after_key_by_is_refused():
    pipeline = source().key_by(user)
    with refused("the key was changed just before"):
        pipeline.key_by(user)


def test_collect_right_after_key_by_is_refused():
    pipeline = source().key_by(user)
    with refused("the key was changed just before"):
        pipeline.collect()


def test_key_by_right_after_collect_is_refused():
    pipeline = source().collect()
    with refused("the key was changed just before"):
        pipeline.key_by(user)


def test_a_key_change_right_after_merging_changed_keys_is_refused():
    left, right, other = source("a").key_by(user), source("b").collect(), source("c").key_by(user)
    pipeline = left.merge(right).merge(other)
    with refused("the key was changed just before"):
        pipeline.key_by(user)


def test_a_key_may_change_again_behind_a_stage():
    pipeline = source().key_by(user).to(look).collect()
    assert len(pipeline.steps) == 3
