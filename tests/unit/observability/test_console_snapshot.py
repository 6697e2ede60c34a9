"""What the console is told of a moment."""

import json
import math

from wallaroo.observability import metrics
from wallaroo.observability.console.snapshot import Identity, Moment, WorkerSeen, encoded, snapshot
from wallaroo.observability.health import HealthReport, LoopStatus, Uncommitted, WorkerStatus
from wallaroo.observability.measurements import Measurements

IDENTITY = Identity("pets", "i1", "1.0", "2.16.0", "3.12.1", started_ms=5_000, shows_state=True)
READY = HealthReport(True)
HOSTILE = "<img src=x onerror=alert(1)>"


def measured(*calls):
    """What a worker has measured by these calls of `Measurements`."""
    values = Measurements()
    for method, *arguments in calls:
        getattr(values, method)(*arguments)
    return values.snapshot()


def moment(*by_worker, ready=READY, workers=()):
    named = [(str(index), each) for index, each in enumerate(by_worker)]
    return Moment(65_000, IDENTITY, ready, READY, workers, named)


def only(found):
    [one] = found
    return one


def test_it_says_what_runs_and_whether_it_is_ready_in_words():
    shown = snapshot(moment(ready=HealthReport(False, ("worker 1 is not running",))))
    assert shown["at"] == 65_000
    assert shown["identity"]["application"] == "pets"
    assert shown["identity"]["started_ms"] == 5_000
    assert shown["ready"] == {"ok": False, "reasons": ["worker 1 is not running"]}
    assert shown["healthy"] == {"ok": True, "reasons": []}


def test_a_worker_is_shown_with_its_loops_and_since_when_nothing_was_committed():
    loops = (
        LoopStatus("totals", True, 2, 1, True, None, uncommitted=Uncommitted(7_000, ("out",))),
        LoopStatus("sink", True, 2, 0, False, None, obstacle="its topic is gone"),
    )
    status = WorkerStatus(3, True, 0.0, True, loops, deaths=1, last_death="killed by SIGKILL")
    worker = only(snapshot(moment(workers=[WorkerSeen(status, 4, 0.25, 61.04)]))["workers"])
    assert (worker["index"], worker["restarts"], worker["uptime"]) == (3, 4, 61.0)
    assert worker["last_death"] == "killed by SIGKILL"
    assert worker["loops"][0]["uncommitted_since"] == 7_000
    assert worker["loops"][0]["restoring"] == 1
    assert (worker["loops"][1]["connected"], worker["loops"][1]["problem"]) == (False, "its topic is gone")


def test_partitions_name_their_worker_and_are_in_their_order():
    shown = snapshot(
        moment(
            measured(
                ("set", metrics.CONSUMER_LAG, 7, "totals", "in", 10),
                ("count", metrics.RECORDS_PROCESSED, 5, "totals", 10),
                ("set", metrics.WATERMARK_LAG, 1.5, "totals", 10),
            ),
            measured(("set", metrics.CONSUMER_LAG, 0, "totals", "in", 2)),
        )
    )
    assert only(shown["sub_topologies"])["partitions"] == [
        {"number": 2, "worker": "1", "lag": 0},
        {"number": 10, "worker": "0", "lag": 7, "processed": 5, "behind": 1.5},
    ]


def test_the_counts_of_workers_are_added_up():
    one = measured(
        ("count", metrics.RECORDS_PROCESSED, 5, "totals", 0),
        ("observe", metrics.END_TO_END_LATENCY, 0.0015, "totals"),
        ("count", metrics.COMMITS, 3, "totals", "committed"),
        ("count", metrics.COMMITS, 1, "totals", "aborted"),
        ("set", metrics.RECORD_IN_PROGRESS, 9, "totals"),
    )
    sub = only(snapshot(moment(one, one))["sub_topologies"])
    assert sub["processed"] == 10
    assert sub["latency"][1] == 2
    assert sum(sub["latency"]) == 2
    assert sub["commits"] == {"committed": 6, "aborted": 2}
    assert sub["in_progress"] == 9


def test_every_histogram_comes_with_one_bound_less_than_it_has_buckets():
    shown = snapshot(moment(measured(("observe", metrics.COMMIT_DURATION, 0.5, "totals"))))
    assert len(only(shown["sub_topologies"])["commit"]) == len(shown["bounds"]["commit"]) + 1


def test_failures_are_told_by_stage_and_by_what_they_were():
    shown = snapshot(
        moment(
            measured(
                ("count", metrics.DEAD_LETTERS, 2, "add", "ValueError"),
                ("count", metrics.DEAD_LETTERS, 1, "add", "KeyError"),
                ("count", metrics.RECORDS_DROPPED, 4, "add", "late"),
                ("count", metrics.LATE_RECORDS, 6, "add"),
            ),
            measured(("count", metrics.DEAD_LETTERS, 3, "add", "ValueError")),
        )
    )
    assert only(shown["stages"]) == {
        "name": "add",
        "dead_letters": {"ValueError": 5, "KeyError": 1},
        "dropped": {"late": 4},
        "late": 6,
    }


def test_stores_topics_sources_and_sinks_are_summed_by_name():
    shown = snapshot(
        moment(
            measured(
                ("set", metrics.STATE_ENTRIES, 3, "totals", 0),
                ("set", metrics.STATE_ENTRIES, 4, "totals", 1),
                ("set", metrics.RESTORE_REMAINING, 9, "totals", 1),
                ("count", metrics.RECORDS_PRODUCED, 8, "out"),
                ("count", metrics.INGESTED_RECORDS, 2, "tcp"),
                ("set", metrics.SINK_CONNECTED, 0, "sink"),
            )
        )
    )
    assert only(shown["stores"]) == {"name": "totals", "entries": 7, "restore_remaining": 9}
    assert only(shown["topics"]) == {"name": "out", "produced": 8}
    assert only(shown["sources"]) == {"name": "tcp", "ingested": 2}
    assert only(shown["sinks"]) == {"name": "sink", "connected": 0}


def test_what_a_worker_of_another_version_measures_is_left_out():
    assert snapshot(moment({("wallaroo_of_tomorrow", ("x",)): 1}))["sub_topologies"] == []


def test_names_and_numbers_of_any_kind_are_json():
    strange = measured(
        ("count", metrics.DEAD_LETTERS, 1, f"{HOSTILE}\ud800", "Ошибка"),
        ("set", metrics.WATERMARK_LAG, math.inf, "totals", 0),
    )
    text = encoded(moment(strange))
    assert text.isascii()
    shown = json.loads(text)
    assert only(shown["stages"])["name"] == f"{HOSTILE}\ud800"
    assert only(shown["sub_topologies"])["partitions"] == [{"number": 0, "worker": "0", "behind": 0}]
