"""What a loop counts, and what a snapshot of it holds."""

from __future__ import annotations

import pickle

import pytest

from wallaroo.errors import WallarooError
from wallaroo.observability import metrics
from wallaroo.observability.measurements import Distribution, Measurements, merged

NAME = metrics.END_TO_END_LATENCY.name


def test_counts_of_the_same_labels_add_up_and_others_stay_apart():
    measured = Measurements()
    measured.count(metrics.RECORDS_PRODUCED, 3, "alerts")
    measured.count(metrics.RECORDS_PRODUCED, 4, "alerts")
    measured.count(metrics.RECORDS_PRODUCED, 5, "totals")
    assert measured.snapshot() == {
        ("wallaroo_records_produced_total", ("alerts",)): 7,
        ("wallaroo_records_produced_total", ("totals",)): 5,
    }


def test_a_count_of_zero_makes_the_series_appear():
    measured = Measurements()
    measured.count(metrics.REBALANCES, 0, "totals")
    assert measured.snapshot() == {("wallaroo_rebalances_total", ("totals",)): 0}


def test_a_gauge_holds_its_last_value():
    measured = Measurements()
    measured.set(metrics.STATE_ENTRIES, 10, "totals", 3)
    measured.set(metrics.STATE_ENTRIES, 7, "totals", 3)
    assert measured.snapshot() == {("wallaroo_state_entries", ("totals", "3")): 7}


def test_a_partition_as_number_and_as_text_is_the_same_series():
    measured = Measurements()
    measured.count(metrics.RECORDS_PROCESSED, 1, "totals", 3)
    measured.count(metrics.RECORDS_PROCESSED, 1, "totals", "3")
    assert measured.snapshot() == {("wallaroo_records_processed_total", ("totals", "3")): 2}


def test_an_observation_on_a_bound_falls_into_the_bucket_below_it():
    measured = Measurements()
    measured.observe(metrics.END_TO_END_LATENCY, 0.001, "totals")
    measured.observe(metrics.END_TO_END_LATENCY, 0.0011, "totals")
    distribution = measured.snapshot()[NAME, ("totals",)]
    assert distribution.counts[:3] == (1, 1, 0)


def test_an_observation_above_the_last_bound_falls_into_the_last_bucket():
    measured = Measurements()
    measured.observe(metrics.END_TO_END_LATENCY, 3600.0, "totals")
    assert measured.snapshot()[NAME, ("totals",)].counts[-1] == 1


def test_a_snapshot_is_plain_data_that_later_measurements_leave_alone():
    measured = Measurements()
    measured.observe(metrics.COMMIT_DURATION, 0.02, "totals")
    measured.count(metrics.COMMITS, 1, "totals", "committed")
    snapshot = measured.snapshot()
    copied = pickle.loads(pickle.dumps(snapshot))  # noqa: S301 - our own bytes
    measured.observe(metrics.COMMIT_DURATION, 0.02, "totals")
    measured.count(metrics.COMMITS, 1, "totals", "committed")
    assert snapshot == copied
    assert measured.snapshot() != copied


def test_a_revoked_partition_takes_all_its_series_along_and_no_other():
    measured = Measurements()
    measured.count(metrics.RECORDS_CONSUMED, 9, "totals", "transactions", 1)
    measured.set(metrics.CONSUMER_LAG, 9, "totals", "transactions", 1)
    measured.count(metrics.RECORDS_PROCESSED, 9, "totals", 1)
    measured.set(metrics.STATE_ENTRIES, 9, "totals", 1)
    measured.set(metrics.CONSUMER_LAG, 4, "totals", "transactions", 11)
    measured.set(metrics.CONSUMER_LAG, 4, "totals", "corrections", 1)
    measured.set(metrics.ASSIGNED_PARTITIONS, 1, "totals")
    measured.forget_partition("transactions", 1)
    assert set(measured.snapshot()) == {
        (metrics.CONSUMER_LAG.name, ("totals", "transactions", "11")),
        (metrics.CONSUMER_LAG.name, ("totals", "corrections", "1")),
        (metrics.ASSIGNED_PARTITIONS.name, ("totals",)),
    }


def test_a_metric_used_as_another_kind_is_refused():
    with pytest.raises(WallarooError, match="wallaroo_commits_total is a counter, used as a gauge"):
        Measurements().set(metrics.COMMITS, 1, "totals", "committed")


def test_a_missing_label_value_is_refused_with_the_labels_it_needs():
    with pytest.raises(WallarooError, match="'sub_topology', 'outcome'"):
        Measurements().count(metrics.COMMITS, 1, "totals")


def test_loops_of_one_worker_merge_by_adding_what_they_share():
    ours, theirs = Measurements(), Measurements()
    ours.count(metrics.RECORDS_PRODUCED, 3, "alerts")
    ours.observe(metrics.RESTORE_DURATION, 0.02, "totals")
    theirs.count(metrics.RECORDS_PRODUCED, 4, "alerts")
    theirs.observe(metrics.RESTORE_DURATION, 0.02, "totals")
    theirs.set(metrics.ASSIGNED_PARTITIONS, 2, "delivery")
    both = merged([ours.snapshot(), theirs.snapshot()])
    assert both == {
        (metrics.RECORDS_PRODUCED.name, ("alerts",)): 7,
        (metrics.RESTORE_DURATION.name, ("totals",)): Distribution((0, 2, *[0] * 10), 0.04),
        (metrics.ASSIGNED_PARTITIONS.name, ("delivery",)): 2,
    }


def test_merging_leaves_the_snapshots_as_they_were():
    snapshot = {(metrics.RECORDS_PRODUCED.name, ("alerts",)): 3}
    merged([snapshot, snapshot])
    assert snapshot == {(metrics.RECORDS_PRODUCED.name, ("alerts",)): 3}


def test_nothing_merges_to_nothing():
    assert merged([]) == {}


def test_a_number_and_a_distribution_do_not_merge():
    key = (metrics.COMMIT_DURATION.name, ("totals",))
    with pytest.raises(WallarooError, match="disagree"):
        merged([{key: 1.0}, {key: Distribution((1,), 1.0)}])
