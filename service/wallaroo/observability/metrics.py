"""The table of all metrics; docs/metrics.md explains each one, and a test compares the two.

Every series also carries the label `worker`, which the supervisor adds. A label's values are bounded by
the topology (topics, partitions, stages, stores, sinks) or by code, never a record key. Classes of errors
may be made while the code runs: `LoopMetrics` counts only so many by name.
"""

from dataclasses import dataclass
from typing import Final, Literal

MetricKind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is called and how it is read; `labels` is also the order in which values are passed."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(name, "counter", help_text, labels)


def _gauge(name: str, help_text: str, *labels: str) -> Metric:
    return Metric(name, "gauge", help_text, labels)


def _histogram(name: str, help_text: str, label: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, "histogram", help_text, (label,), buckets)


# fmt: off
SLICE_BUCKETS: Final = (
    0.000_01, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005,
    0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
)
COMMIT_BUCKETS: Final = (0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LATENCY_BUCKETS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05,
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)
RESTORE_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
# fmt: on

# Records
RECORDS_CONSUMED: Final = _counter(
    "wallaroo_records_consumed_total", "Records taken from Kafka.", "sub_topology", "topic", "partition"
)
RECORDS_PROCESSED: Final = _counter(
    "wallaroo_records_processed_total",
    "Records that went through the stages of a sub-topology, failed ones included.",
    "sub_topology",
    "partition",
)
RECORDS_PRODUCED: Final = _counter(
    "wallaroo_records_produced_total", "Records committed to a topic, changelogs excluded.", "topic"
)
RECORDS_DROPPED: Final = _counter(
    "wallaroo_records_dropped_total", "Records given up without a dead letter.", "stage", "reason"
)
DEAD_LETTERS: Final = _counter(
    "wallaroo_dead_letters_total",
    "Records written to the dead-letter topic, by the class of their error.",
    "stage",
    "error",
)

# Speed
PROCESS_DURATION: Final = _histogram(
    "wallaroo_process_duration_seconds",
    "Time to compute one slice: the records of one partition that one poll returned.",
    "sub_topology",
    SLICE_BUCKETS,
)
RECORD_IN_PROGRESS: Final = _gauge(
    "wallaroo_record_in_progress_seconds",
    "How long user code has been at one record; 0 while none takes a second.",
    "sub_topology",
)
COMMIT_DURATION: Final = _histogram(
    "wallaroo_commit_duration_seconds",
    "Time from the begin of a transaction to the end of its commit.",
    "sub_topology",
    COMMIT_BUCKETS,
)
COMMITS: Final = _counter(
    "wallaroo_commits_total", "Commits by outcome: committed or aborted.", "sub_topology", "outcome"
)
END_TO_END_LATENCY: Final = _histogram(
    "wallaroo_end_to_end_latency_seconds",
    "From the arrival of an input record to the commit that carries its results.",
    "sub_topology",
    LATENCY_BUCKETS,
)

# Partitions
CONSUMER_LAG: Final = _gauge(
    "wallaroo_consumer_lag_records",
    "Records of a partition whose results this sub-topology has yet to commit.",
    "sub_topology",
    "topic",
    "partition",
)
ASSIGNED_PARTITIONS: Final = _gauge(
    "wallaroo_assigned_partitions", "Partitions that a worker owns now.", "sub_topology"
)
REBALANCES: Final = _counter(
    "wallaroo_rebalances_total", "Changes of the partitions that a worker owns.", "sub_topology"
)

# State
STATE_ENTRIES: Final = _gauge("wallaroo_state_entries", "Keys in a store.", "store", "partition")
STATE_BYTES: Final = _gauge(
    "wallaroo_state_bytes", "Bytes of the keys and values in a store, by a sample.", "store", "partition"
)
CHANGELOG_RECORDS: Final = _counter(
    "wallaroo_changelog_records_total", "Records committed to the changelog of a store.", "store"
)
RESTORE_REMAINING: Final = _gauge(
    "wallaroo_restore_remaining_records",
    "Changelog records still to be read before a partition is processed.",
    "store",
    "partition",
)
RESTORED_RECORDS: Final = _counter(
    "wallaroo_restored_records_total", "Changelog records read to restore a store.", "store"
)
RESTORE_DURATION: Final = _histogram(
    "wallaroo_restore_duration_seconds", "Time to restore one partition of a store.", "store", RESTORE_BUCKETS
)

# Windows
LATE_RECORDS: Final = _counter(
    "wallaroo_late_records_total", "Messages whose every window was past due when they came.", "stage"
)
WATERMARK_LAG: Final = _gauge(
    "wallaroo_watermark_lag_seconds",
    "How far the watermark of a partition is behind the clock.",
    "sub_topology",
    "partition",
)

# Sources outside the cluster
INGESTED_RECORDS: Final = _counter(
    "wallaroo_ingested_records_total",
    "Messages that a TCP or generator source has written to its ingest topic.",
    "source",
)
SENDERS_CONNECTED: Final = _gauge(
    "wallaroo_senders_connected", "Connections that a TCP source has open now.", "source"
)
SENDERS_CUT_OFF: Final = _counter(
    "wallaroo_senders_cut_off_total",
    "Connections of a TCP source that broke, ended inside a frame, had a bad header, or had to make room.",
    "source",
)

# Delivery to receivers outside the cluster
DELIVERED_RECORDS: Final = _counter(
    "wallaroo_delivered_records_total", "Records that a sink outside the cluster has taken.", "sink"
)
SINK_CONNECTED: Final = _gauge(
    "wallaroo_sink_connected", "1 while a sink is connected to its receiver, otherwise 0.", "sink"
)
SINK_RECONNECTS: Final = _counter(
    "wallaroo_sink_reconnects_total", "Connections of a sink opened after its first one.", "sink"
)

# Kept by the supervisor
WORKER_RESTARTS: Final = _counter("wallaroo_worker_restarts_total", "Restarts of a worker that had died.")
RESIDENT_MEMORY: Final = _gauge("wallaroo_resident_memory_bytes", "Resident memory of a process.")
MEMORY_LIMIT: Final = _gauge(
    "wallaroo_memory_limit_bytes", "Memory that all processes of a service may use together."
)
WORKER_ANSWER_AGE: Final = _gauge(
    "wallaroo_worker_answer_age_seconds",
    "Time since a worker answered last; its other series are as old as that.",
)
BUILD_INFO: Final = _gauge(
    "wallaroo_build_info", "Always 1; the labels say what is running.", "version", "application", "librdkafka"
)

METRICS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
BY_NAME: Final = {metric.name: metric for metric in METRICS}
