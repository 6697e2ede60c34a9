"""Which sub-topologies keep time, and how a topology with windows is drawn."""

import json

import pytest

import wallaroo
from tests.properties.window_samples import (
    Counting,
    Gather,
    GatherAgain,
    Shape,
    by_key,
    by_name,
    finished,
    source,
)
from tests.samples import look
from wallaroo.api.durations import format_duration
from wallaroo.errors import TopologyError
from wallaroo.serde.codecs import codecs_of
from wallaroo.service import assemble as build
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import load_settings
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.describe import describe
from wallaroo.topology.model import Timing, Upstream
from wallaroo.topology.timing import with_idle_timeout

MS = 1_000_000
FIRST, SECOND = Shape(range=10, slide=5, delay=3), Shape(range=40, slide=40)


def subs_of(pipeline):
    return {sub.name: sub for sub in compile_topology(finished(pipeline)).sub_topologies}


def times(sub):
    return None if sub.timing is None else (sub.timing.idle_timeout // MS, sub.timing.horizon // MS)


def two_hops():
    first = source().key_by(by_key).to(FIRST.declared())
    return first.key_by(by_name).to(SECOND.declared(GatherAgain))


def test_time_is_kept_by_all_that_lead_to_windows():
    subs = subs_of(two_hops())
    assert {name: times(sub) for name, sub in subs.items()} == {
        "in": (40, 53),
        "by-key": (40, 53),
        "by-name": (40, 40),
    }


def lived(ttl):
    return wallaroo.state_computation("lived", dict, ttl=ttl * MS)(lambda message, _state: message)


def test_time_is_kept_by_all_that_lead_to_a_ttl_which_makes_no_windows_wait():
    subs = subs_of(source().key_by(by_key).to(lived(1_000)).to(FIRST.declared()))
    assert {name: times(sub) for name, sub in subs.items()} == {"in": (13, 1_113), "by-key": (13, 1_113)}
    assert (subs["in"].targets[0].ttl, subs["in"].targets[0].windows.name) == (1_000 * MS, "Gather")


def test_a_partition_whose_keys_only_end_is_idle_after_the_ttl():
    subs = subs_of(source().key_by(by_key).to(lived(1_000)))
    assert {name: times(sub) for name, sub in subs.items()} == {
        "in": (1_100, 1_100),
        "by-key": (1_100, 1_100),
    }


def test_a_ttl_is_described():
    topology = compile_topology(finished(source().key_by(by_key).to(lived(1_000))))
    assert "stage    lived (state computation), state in app-lived-changelog, ttl 1 s\n" in describe(topology)
    stages = json.loads(describe(topology, "json"))["sub_topologies"][1]["stages"]
    assert stages == [{"name": "lived", "kind": "state computation", "ttl_ns": 1_000 * MS}]


def test_a_ttl_that_can_only_be_a_slip_of_units_is_refused():
    pipeline = finished(
        source().key_by(by_key).to(wallaroo.state_computation("l", dict, 24)(lambda m, _s: m))
    )
    with pytest.raises(TopologyError, match="'l': a ttl of 24 nanoseconds is shorter than a millisecond"):
        compile_topology(pipeline)


def test_nobody_keeps_time_where_there_are_no_range_windows():
    subs = subs_of(source().key_by(by_key).to(Counting(3).declared()).key_by(by_name).to(look))
    assert [sub.timing for sub in subs.values()] == [None, None, None]
    assert [sub.input.upstreams for sub in subs.values()] == [(), (), ()]


def test_behind_the_last_windows_time_is_not_kept():
    subs = subs_of(source().key_by(by_key).to(FIRST.declared()).key_by(by_name).to(look))
    assert times(subs["by-name"]) is None
    assert subs["by-key"].targets[0].windows is None
    assert subs["by-name"].input.upstreams == ()


def test_a_hop_knows_the_first_windows_that_it_leads_to():
    subs = subs_of(two_hops())
    assert subs["in"].targets[0].windows is subs["by-key"].steps[0]
    assert subs["by-key"].targets[0].windows is subs["by-name"].steps[0]


def test_everybody_knows_whom_to_listen_to():
    both = source("in").merge(source("other")).key_by(by_key).to(FIRST.declared())
    subs = subs_of(both)
    assert subs["in"].input.upstreams == ()
    assert subs["by-key"].input.upstreams == (Upstream("in", "in"), Upstream("other", "other"))


def test_watermarks_are_stored_under_the_name_of_the_sub_topology():
    sub = subs_of(two_hops())["by-key"]
    assert isinstance(sub.timing, Timing)
    assert [(store.name, store.changelog) for store in sub.stores] == [
        ("gather", "app-gather-changelog"),
        ("by-key-watermarks", "app-by-key-watermarks-changelog"),
    ]


def test_a_stage_may_not_have_the_name_of_a_store_of_watermarks():
    class Clash(Gather):
        def name(self):
            return "in watermarks"

    with pytest.raises(TopologyError, match="in-watermarks-changelog"):
        subs_of(source().key_by(by_key).to(FIRST.declared(Clash)))


def test_an_idle_timeout_that_is_set_counts_for_all_that_keep_time():
    subs = subs_of(two_hops())
    assert {name: times(with_idle_timeout(sub, 7)) for name, sub in subs.items()} == {
        "in": (7, 53),
        "by-key": (7, 53),
        "by-name": (7, 40),
    }


def test_by_default_the_wall_clock_is_followed_a_minute_behind_and_not_where_a_timeout_is_set():
    by_default = subs_of(two_hops())["in"]
    assert by_default.timing.slack == wallaroo.minutes(1)
    assert with_idle_timeout(by_default, 7).timing.slack is None


def test_an_idle_timeout_that_is_not_set_changes_nothing():
    sub = subs_of(two_hops())["in"]
    assert with_idle_timeout(sub, None) is sub


def test_an_idle_timeout_means_nothing_where_time_is_not_kept():
    sub = subs_of(source().key_by(by_key).to(Counting(3).declared()))["by-key"]
    assert with_idle_timeout(sub, 7) is sub


def test_a_worker_keeps_the_idle_timeout_of_its_settings(monkeypatch):
    made = []
    monkeypatch.setattr(build, "Loop", lambda sub, *_rest: made.append(times(sub)))
    loaded = Loaded(compile_topology(finished(two_hops())), codecs_of(None))
    spec = WorkerSpec(0, "here", "app", ("app",), "app", load_settings({"idle_timeout_ms": "7"}), {})
    build.build_loops(build.WorkerContext(spec, loaded))
    assert made == [(7, 53), (7, 53), (7, 40)]


def test_a_worker_keeps_the_bound_of_the_future_of_its_settings(monkeypatch):
    made = []
    monkeypatch.setattr(build, "Loop", lambda sub, *_rest: made.append(sub.timing.max_future))
    loaded = Loaded(compile_topology(finished(two_hops())), codecs_of(None))
    for given in ({}, {"max_future_ms": "60000"}, {"max_future_ms": "off"}):
        spec = WorkerSpec(0, "here", "app", ("app",), "app", load_settings(given), {})
        build.build_loops(build.WorkerContext(spec, loaded))
    assert made == [1_800_000 * MS] * 3 + [60_000 * MS] * 3 + [None] * 3


def test_windows_without_a_key_are_one_sequence_for_the_whole_stream():
    subs = subs_of(source().to(FIRST.declared()))
    assert subs["in"].targets[0].key == b"collect"


def test_spans_that_no_clock_can_hold_are_refused():
    windows = wallaroo.range_windows(wallaroo.hours(10**7)).over(Gather)
    with pytest.raises(TopologyError, match="146 years"):
        subs_of(source().key_by(by_key).to(windows))


@pytest.mark.parametrize(
    ("builder", "span"),
    [
        (wallaroo.range_windows(10), "range of 10"),
        (wallaroo.range_windows(MS - 1), "range of 999999"),
        (wallaroo.range_windows(10 * MS).with_slide(1_000), "slide of 1000"),
        (wallaroo.range_windows(10 * MS).with_delay(500), "delay of 500"),
        (wallaroo.range_windows(10 * MS).with_offset(-9), "offset of -9"),
    ],
)
def test_spans_below_a_millisecond_are_refused_where_timestamps_count(builder, span):
    windows = builder.over(Gather)
    with pytest.raises(TopologyError, match=rf"'Gather': a {span} nanoseconds.*wallaroo.milliseconds"):
        subs_of(source().key_by(by_key).to(windows))
    assert subs_of(source(declared_time=True).key_by(by_key).to(windows))


def test_windows_are_described():
    text = describe(compile_topology(finished(two_hops())))
    assert "stage    Gather (windows of 10 ms every 5 ms, delay 3 ms, late: drop)" in text
    assert "stage    GatherAgain (windows of 40 ms, late: drop), state in app-gatheragain-changelog" in text
    assert "keeps    its watermarks in app-in-watermarks-changelog" in text
    counted = describe(compile_topology(finished(source().key_by(by_key).to(Counting(3).declared()))))
    assert "stage    Gather (windows of 3 messages), state in app-gather-changelog" in counted


def test_windows_are_in_the_other_descriptions():
    topology = compile_topology(finished(two_hops()))
    stages = json.loads(describe(topology, "json"))["sub_topologies"][1]["stages"]
    assert stages == [{"name": "Gather", "kind": "windows of 10 ms every 5 ms, delay 3 ms, late: drop"}]
    assert "app-gather-changelog" in describe(topology, "mermaid")


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (wallaroo.hours(2), "2 h"),
        (wallaroo.minutes(90), "90 min"),
        (wallaroo.seconds(9), "9 s"),
        (wallaroo.milliseconds(1_500), "1500 ms"),
        (1_500, "1500 ns"),
        (2_000, "2 us"),
        (0, "0 ns"),
    ],
)
def test_a_duration_is_shown_in_its_largest_whole_unit(nanoseconds, text):
    assert format_duration(nanoseconds) == text
