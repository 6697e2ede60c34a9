"""What the pages of a running service say."""

import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from scripts.kafka.process import free_port
from tests.kafka.cluster import wait_until
from tests.kafka.model import transaction, transactions
from tests.kafka.scenario import PARTITIONS

# Not loopback, though reached from here.
ALL = "0.0.0.0"  # noqa: S104 - what a container listens on
NO_HOP = ("--partitioned-by-user",)


def test_readiness_follows_the_life_of_a_worker(scenario, rng):
    scenario.arguments = NO_HOP
    service = scenario.launch_faulty("before_begin:1000", workers=2)
    wait_until(lambda: service.status("/healthz") == 200)
    assert service.status("/readyz") in (200, 503)
    service.wait_ready()
    os.kill(service.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: service.status("/readyz") == 503)
    reasons = service.get_json("/readyz")["reasons"]
    assert any("is not running" in reason or "starting" in reason for reason in reasons)
    service.wait_ready()
    assert service.metric("wallaroo_worker_restarts_total") == 1
    assert service.status("/healthz") == 200


def test_a_frozen_worker_neither_blocks_the_pages_nor_the_end(scenario):
    scenario.arguments = NO_HOP
    service = scenario.start(workers=2)
    os.kill(service.worker_pids()[0], signal.SIGSTOP)
    assert service.status("/healthz") == 200
    assert service.metric("wallaroo_worker_restarts_total") == 0
    os.kill(service.worker_pids()[0], signal.SIGCONT)
    service.wait_ready()
    assert service.stop() == 0


def test_pages_wait_once_for_all_workers_that_stand_still_and_say_who_they_are(scenario):
    service = scenario.start(workers=4)
    scenario.send([transaction("rex", 10)])
    scenario.settle()
    pids = service.worker_pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    paths = ("/metrics", "/state/add-up/rex", "/healthz", "/readyz")
    seconds = {path: seconds_of(service, path) for path in paths}
    ages = [service.metric("wallaroo_worker_answer_age_seconds", worker=str(n)) for n in range(4)]
    state = service.get_json("/state/add-up/rex")["error"]
    wait_until(lambda: service.words().count("worker does not answer") == 4)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    assert max(seconds.values()) < 4
    assert min(ages) > 1
    assert "workers 0, 1, 2, 3 do not answer" in state
    wait_until(lambda: service.words().count("worker answers again") == 4)
    wait_until(lambda: service.status("/state/add-up/rex") == 200)


def test_the_memory_of_every_process_and_of_the_state_is_measured(scenario):
    service = scenario.start(workers=2)
    scenario.send([transaction("rex", 10), transaction("bello", 20)])
    scenario.settle()
    processes = [service.metric("wallaroo_resident_memory_bytes", worker=w) for w in ("0", "1", "supervisor")]
    assert min(processes) > 1_000_000
    assert service.metric("wallaroo_memory_limit_bytes") > sum(processes)
    wait_until(lambda: service.metric("wallaroo_state_bytes", store="add-up") > 10)


def seconds_of(service, path):
    began = time.monotonic()
    service.get(path)
    return time.monotonic() - began


USERS = [f"user{n}" for n in range(12)]


def states(service):
    pages = [service.get(f"/state/add-up/{user}") for user in USERS]
    return [status for status, _ in pages], [json.loads(body) for _, body in pages]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_key_of_another_instance_is_never_denied_and_its_owner_is_named(scenario, protocol):
    pair = [scenario.launch(instance=name, group_protocol=protocol) for name in ("i1", "i2")]
    both_own_partitions(pair)
    scenario.send([transaction(user, 10) for user in USERS])
    scenario.settle()
    wait_until(lambda: states(pair[0])[0].count(200) + states(pair[1])[0].count(200) == len(USERS))
    (codes, pages), (others, _) = map(states, pair)
    assert {*zip(codes, others, strict=True)} == {(200, 503), (503, 200)}
    errors = [page["error"] for code, page in zip(codes, pages, strict=True) if code == 503]
    assert all("belongs to instance 'i2' (worker 0, host " in error for error in errors)


def test_an_instance_that_says_where_it_is_is_asked_for_its_keys(scenario):
    pair = []
    for name in ("i1", "i2"):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        pair.append(scenario.launch(instance=name, http_port=port, advertised_http=url))
    both_own_partitions(pair)
    scenario.send([transaction(user, 10) for user in USERS])
    scenario.settle()
    wait_until(lambda: states(pair[0])[0] == states(pair[1])[0] == [200] * len(USERS))
    assert states(pair[0])[1] == states(pair[1])[1]
    assert {page["instance"] for page in states(pair[0])[1]} == {"i1", "i2"}
    assert {page["value"]["total"] for page in states(pair[0])[1]} == {10}
    nobody = [service.status(f"/state/add-up/nobody{n}") for service in pair for n in range(8)]
    assert set(nobody) == {404}


def test_the_console_knows_every_partition_with_its_owner_in_all_instances(scenario):
    one = scenario.launch(instance="i1")
    two = scenario.launch(instance="i2", advertised_http="http://127.0.0.1:1/i2")
    both_own_partitions([one, two])
    scenario.send([transaction(user, 10) for user in USERS])
    scenario.settle()
    wait_until(lambda: {*owned(one).values()} == {"i1", "i2"} and len(owned(one)) == PARTITIONS)
    here = {each["name"]: each for each in one.get_json("/console/instances")["instances"]}
    assert (here["i1"]["is_this"], here["i1"]["url"]) == (True, "")
    assert (here["i2"]["is_this"], here["i2"]["url"]) == (False, "http://127.0.0.1:1/i2")
    assert owned(two) == owned(one)
    subs = {each["name"]: each for each in one.get_json("/console/snapshot")["sub_topologies"]}
    mine = {each["number"] for each in subs["extract-user"]["partitions"] if each["worker"] == "0"}
    assert mine == {number for number, instance in owned(one).items() if instance == "i1"}


def owned(service):
    """Who owns each partition of a sub-topology, as the console of one instance knows it."""
    instances = service.get_json("/console/instances")["instances"]
    return {
        number: each["name"]
        for each in instances
        for own in each["owns"]
        if own["sub_topology"] == "extract-user"
        for number in own["partitions"]
    }


def test_a_state_is_never_denied_while_its_partition_moves(scenario, rng):
    first = scenario.start(instance="i1", workers=2)
    scenario.send([transaction(user, 10) for user in USERS])
    scenario.settle()
    wait_until(lambda: states(first)[0] == [200] * len(USERS))
    seen = Counter()
    with asking(first, seen):
        second = scenario.start(instance="i2")
        first.kill_worker(rng)
        wait_until(lambda: seen[503])
        first.wait_ready()
        assert second.stop() == 0
        wait_until(lambda: states(first)[0] == [200] * len(USERS))
    assert set(seen) == {200, 503}


@contextmanager
def asking(service, seen):
    """Ask for states in the background, and count the statuses."""
    ended = threading.Event()

    def ask():
        while not ended.is_set():
            seen.update(states(service)[0])

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def both_own_partitions(pair):
    [service.wait_ready() for service in pair]
    owned = {"sub_topology": "extract-user"}
    wait_until(lambda: all(s.metric("wallaroo_assigned_partitions", **owned) > 0 for s in pair))
    [service.wait_ready() for service in pair]


def test_the_committed_state_of_a_key_is_shown(scenario):
    service = scenario.start(workers=2)
    scenario.send([transaction("Käfer/狗", 3_000), transaction("rex", -10)])
    scenario.settle()
    # What is committed can be read in the topic a moment before the worker has heard of it.
    kaefer = "/state/add%20up/K%C3%A4fer%2F%E7%8B%97"
    wait_until(lambda: service.status(kaefer) == service.status("/state/add-up/rex") == 200)
    assert service.get_json(kaefer)["value"] == {"total": 3_000}
    assert service.get_json("/state/add-up/rex")["value"] == {"total": -10}
    assert service.status("/state/add%20up/nobody") == 404
    assert service.status("/state/no%20stage/rex") == 404


def test_state_is_not_shown_where_that_is_not_wanted(scenario):
    service = scenario.start(expose_state=False)
    assert service.status("/state/add-up/rex") == 403


def test_series_of_a_partition_that_moves_go_with_it(scenario, rng):
    scenario.arguments = NO_HOP
    first = scenario.start()
    scenario.send(transactions(rng, 500))
    scenario.settle()
    wait_until(lambda: len(series(first)) == PARTITIONS)
    second = scenario.start()
    wait_until(lambda: series(second) and len(series(first)) + len(series(second)) == PARTITIONS)
    assert not series(first) & series(second)
    assert second.stop() == 0
    wait_until(lambda: len(series(first)) == PARTITIONS)


def series(service):
    """The partitions of which lag is reported."""
    lines = service.get("/metrics")[1].splitlines()
    lags = [line for line in lines if line.startswith("wallaroo_consumer_lag_records{")]
    return {line.partition('partition="')[2].partition('"')[0] for line in lags}


TOKEN = "0123456789abcdef-of-both"  # noqa: S105 - of this test


def test_instances_that_share_a_token_answer_for_each_other_and_strangers_see_no_state(scenario, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    pair = []
    for name in ("i1", "i2"):
        port = free_port()
        options = {"http_token_file": token_file, "expose_state": True, "http_host": ALL}
        url = f"http://127.0.0.1:{port}"
        pair.append(
            scenario.launch(instance=name, http_port=port, advertised_http=url, log_level="DEBUG", **options)
        )
    both_own_partitions(pair)
    assert {service.status(path) for service in pair for path in ("/topology", "/state/add-up/rex")} == {401}
    scenario.send([transaction(user, 10) for user in USERS])
    scenario.settle()
    for service in pair:
        service.headers = {"Authorization": f"Bearer {TOKEN}"}
    wait_until(lambda: states(pair[0])[0] == states(pair[1])[0] == [200] * len(USERS))
    assert {page["instance"] for page in states(pair[0])[1]} == {"i1", "i2"}
    assert all(TOKEN not in service.words() for service in pair)


def test_beyond_loopback_there_is_no_state_without_a_token(scenario):
    service = scenario.start(http_host=ALL)
    assert {service.status(path) for path in ("/healthz", "/readyz", "/metrics")} == {200}
    status, text = service.get("/state/add-up/rex")
    assert status == 403
    assert "WALLAROO_HTTP_TOKEN_FILE" in text
    assert scenario.launch(http_host=ALL, expose_state=True).wait() == 2
