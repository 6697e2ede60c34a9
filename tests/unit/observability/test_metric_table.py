"""The table of metrics keeps the naming rules, and docs/metrics.md keeps up with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wallaroo.observability.metrics import BY_NAME, METRICS, Metric

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
DOCUMENTED = {line.split("`")[1]: line for line in DOCS.read_text().splitlines() if line.startswith("| `")}
BASE_UNITS = ("_seconds", "_records", "_bytes")
ABBREVIATED_OR_DERIVED_UNITS = ("_ms", "_milliseconds", "_us", "_minutes", "_kb", "_percent")
COUNTED_THINGS = ("_partitions", "_entries", "_connected", "_info")
UNBOUNDED_LABELS = {"key", "user", "offset", "message", "value", "id"}

# A sink is what is connected; there is no shorter name for it.
SAY_WHAT_THEY_ARE_ABOUT = {"wallaroo_sink_connected", "wallaroo_sink_reconnects_total"}

every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
every_histogram = pytest.mark.parametrize(
    "metric", [metric for metric in METRICS if metric.kind == "histogram"], ids=lambda metric: metric.name
)


def cells(metric: Metric) -> list[str]:
    return [cell.strip() for cell in DOCUMENTED[metric.name].strip("|").split("|")]


@every_metric
def test_a_metric_has_a_line_in_the_docs_with_its_type_its_labels_and_advice(metric):
    _, kind, labels, meaning, advice = cells(metric)
    assert kind == metric.kind
    assert tuple(re.findall(r"`(\w+)`", labels)) == metric.labels
    assert meaning.endswith(".")
    assert advice.endswith(".")


def test_the_docs_list_no_metric_that_does_not_exist():
    assert set(DOCUMENTED) == set(BY_NAME)


def test_the_queries_in_the_docs_name_only_metrics_that_exist():
    named = set(re.findall(r"\bwallaroo_[a-z_]+", DOCS.read_text()))
    series = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert series <= set(BY_NAME)


@every_metric
def test_a_name_has_the_prefix_and_only_plain_characters(metric):
    assert re.fullmatch(r"wallaroo(_[a-z]+)+", metric.name)


@every_metric
def test_total_ends_the_name_of_a_counter_and_of_nothing_else(metric):
    assert metric.name.endswith("_total") == (metric.kind == "counter")


@every_metric
def test_a_gauge_or_histogram_ends_in_a_base_unit_or_in_what_it_counts(metric):
    assert metric.kind == "counter" or metric.name.endswith(BASE_UNITS + COUNTED_THINGS)


@every_metric
def test_no_name_has_an_abbreviated_or_derived_unit(metric):
    assert not metric.name.removesuffix("_total").endswith(ABBREVIATED_OR_DERIVED_UNITS)


@every_metric
def test_no_label_is_unbounded_or_reserved_or_twice(metric):
    assert not set(metric.labels) & (UNBOUNDED_LABELS | {"worker", "le", "job", "instance"})
    assert len(set(metric.labels)) == len(metric.labels)


@every_metric
def test_no_name_repeats_one_of_its_labels(metric):
    repeated = [label for label in metric.labels if f"_{label}_" in f"{metric.name}_"]
    assert not repeated or metric.name in SAY_WHAT_THEY_ARE_ABOUT


@every_metric
def test_a_help_text_is_one_sentence(metric):
    assert re.fullmatch(r"[A-Z0-9].*\.", metric.help)


@every_histogram
def test_a_histogram_measures_seconds_in_rising_buckets(metric):
    assert metric.name.endswith("_seconds")
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert len(metric.buckets) > 5


def test_end_to_end_latency_is_told_apart_from_a_millisecond_to_a_minute():
    buckets = BY_NAME["wallaroo_end_to_end_latency_seconds"].buckets
    assert (buckets[0], buckets[-1]) == (0.001, 60.0)


def test_only_histograms_have_buckets():
    assert all(bool(metric.buckets) == (metric.kind == "histogram") for metric in METRICS)


def test_no_two_metrics_share_a_name():
    assert len(BY_NAME) == len(METRICS)
