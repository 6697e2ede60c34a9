"""What Prometheus reads of the workers' snapshots."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from wallaroo.errors import WallarooError
from wallaroo.observability import metrics
from wallaroo.observability.exposition import SnapshotCollector
from wallaroo.observability.measurements import Distribution, Measurements

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def make_collector() -> SnapshotCollector:
    return SnapshotCollector(application="alerts", version="0.1.0", librdkafka="2.16.1")


def page_of(collector: SnapshotCollector, accept: str = "") -> str:
    return collector.render(accept)[1].decode()


def samples_of(collector: SnapshotCollector) -> dict[tuple[str, ...], float]:
    """From (sample name, label value, ...) to value; the page has the labels in alphabetical order."""
    families = text_string_to_metric_families(page_of(collector))
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def lag(records: int) -> Measurements:
    measured = Measurements()
    measured.set(metrics.CONSUMER_LAG, records, "totals", "transactions", 0)
    return measured


def one_of_everything() -> Measurements:
    measured = Measurements()
    record = {"counter": measured.count, "gauge": measured.set, "histogram": measured.observe}
    owned_by_supervisor = (metrics.WORKER_RESTARTS, metrics.WORKER_ANSWER_AGE, metrics.BUILD_INFO)
    [
        record[metric.kind](metric, 1, *metric.labels)
        for metric in metrics.METRICS
        if metric not in owned_by_supervisor
    ]
    return measured


def test_each_worker_has_series_of_its_own():
    collector = make_collector()
    collector.update(0, lag(5).snapshot())
    collector.update(1, lag(7).snapshot())
    samples = samples_of(collector)
    assert samples["wallaroo_consumer_lag_records", "0", "totals", "transactions", "0"] == 5
    assert samples["wallaroo_consumer_lag_records", "0", "totals", "transactions", "1"] == 7


def test_a_series_carries_the_worker_and_the_labels_of_the_table():
    collector = make_collector()
    collector.update(3, lag(5).snapshot())
    labels = '{partition="0",sub_topology="totals",topic="transactions",worker="3"}'
    assert f"wallaroo_consumer_lag_records{labels} 5.0" in page_of(collector)


def test_a_later_snapshot_replaces_the_earlier_one_and_its_vanished_series():
    collector = make_collector()
    collector.update(0, lag(5).snapshot())
    collector.update(0, {})
    assert "consumer_lag" not in page_of(collector)


def test_a_worker_without_measurements_leaves_only_its_restarts():
    collector = make_collector()
    collector.set_restarts(0, 1)
    collector.update(0, lag(5).snapshot())
    collector.update(0, {})
    assert set(samples_of(collector)) == {
        ("wallaroo_build_info", "alerts", "2.16.1", "0.1.0"),
        ("wallaroo_worker_restarts_total", "0"),
    }


def test_restarts_are_counted_per_worker_and_shown_from_zero():
    collector = make_collector()
    collector.set_restarts(0, 0)
    collector.set_restarts(1, 2)
    samples = samples_of(collector)
    assert samples["wallaroo_worker_restarts_total", "0"] == 0
    assert samples["wallaroo_worker_restarts_total", "1"] == 2


def test_build_info_says_what_is_running_and_has_no_worker():
    labels = '{application="alerts",librdkafka="2.16.1",version="0.1.0"}'
    assert f"wallaroo_build_info{labels} 1.0" in page_of(make_collector())


def test_a_family_has_one_help_and_one_type_line_however_many_workers_there_are():
    collector = make_collector()
    collector.update(0, lag(5).snapshot())
    collector.update(1, lag(7).snapshot())
    assert page_of(collector).count("# HELP wallaroo_consumer_lag_records ") == 1
    assert page_of(collector).count("# TYPE wallaroo_consumer_lag_records gauge") == 1


def test_the_buckets_of_a_histogram_are_cumulative_and_end_with_the_count():
    measured = Measurements()
    measured.observe(metrics.END_TO_END_LATENCY, 0.0005, "totals")
    [measured.observe(metrics.END_TO_END_LATENCY, 0.0015, "totals") for _ in range(3)]
    measured.observe(metrics.END_TO_END_LATENCY, 90.0, "totals")
    collector = make_collector()
    collector.update(0, measured.snapshot())
    samples = samples_of(collector)
    name = "wallaroo_end_to_end_latency_seconds"
    buckets = [
        samples[f"{name}_bucket", bound, "totals", "0"] for bound in ("0.001", "0.002", "60.0", "+Inf")
    ]
    assert buckets == [1, 4, 4, 5]
    assert samples[f"{name}_count", "totals", "0"] == 5
    assert samples[f"{name}_sum", "totals", "0"] == pytest.approx(90.005)


def test_a_worker_that_does_not_answer_is_told_by_the_age_of_its_last_answer():
    collector = make_collector()
    collector.update(0, lag(5).snapshot())
    collector.set_answer_age(0, 14.5)
    collector.set_answer_age(1, 0.0)
    samples = samples_of(collector)
    assert samples["wallaroo_worker_answer_age_seconds", "0"] == 14.5
    assert samples["wallaroo_worker_answer_age_seconds", "1"] == 0.0
    assert samples["wallaroo_consumer_lag_records", "0", "totals", "transactions", "0"] == 5


def test_a_label_that_utf_8_cannot_hold_is_escaped():
    measured = Measurements()
    measured.count(metrics.DEAD_LETTERS, 1, "add", "Half\ud800")
    collector = make_collector()
    collector.update(0, measured.snapshot())
    assert samples_of(collector)["wallaroo_dead_letters_total", r"Half\ud800", "add", "0"] == 1


def test_every_metric_of_the_table_is_read_back_with_its_kind():
    collector = make_collector()
    collector.set_restarts(0, 1)
    collector.set_answer_age(0, 0.1)
    collector.update(0, one_of_everything().snapshot())
    kinds = {f.name: f.type for f in text_string_to_metric_families(page_of(collector))}
    assert kinds == {metric.name.removesuffix("_total"): metric.kind for metric in metrics.METRICS}


def test_a_scraper_that_asks_for_openmetrics_gets_it():
    collector = make_collector()
    collector.set_restarts(0, 1)
    collector.set_answer_age(0, 0.1)
    collector.update(0, one_of_everything().snapshot())
    content_type, body = collector.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert len(list(parse_openmetrics(body.decode()))) == len(metrics.METRICS)


@pytest.mark.parametrize("accept", ["", "*/*", "text/html,application/xhtml+xml"])
def test_everybody_else_gets_the_plain_text_format(accept):
    content_type, body = make_collector().render(accept)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert body.endswith(b"\n")


def test_a_label_value_may_hold_quotes_newlines_and_any_script():
    measured = Measurements()
    measured.count(metrics.LATE_RECORDS, 1, 'total "per"\nuser\\ Жучка')
    collector = make_collector()
    collector.update(0, measured.snapshot())
    assert samples_of(collector)["wallaroo_late_records_total", 'total "per"\nuser\\ Жучка', "0"] == 1


def test_nothing_enters_the_default_registry():
    before = list(REGISTRY.collect())
    make_collector().render("")
    assert [family.name for family in REGISTRY.collect()] == [family.name for family in before]


def test_a_number_where_the_table_has_a_histogram_is_refused():
    collector = make_collector()
    collector.update(0, {(metrics.COMMIT_DURATION.name, ("totals",)): 1.0})
    with pytest.raises(WallarooError, match="another version"):
        page_of(collector)


def test_a_distribution_where_the_table_has_a_counter_is_refused():
    collector = make_collector()
    collector.update(0, {(metrics.REBALANCES.name, ("totals",)): Distribution((1,), 1.0)})
    with pytest.raises(WallarooError, match="another version"):
        page_of(collector)
