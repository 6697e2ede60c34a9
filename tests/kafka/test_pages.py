"""What the pages of a running service say."""

import os
import signal

from tests.kafka.cluster import wait_until
from tests.kafka.model import transaction, transactions
from tests.kafka.scenario import PARTITIONS

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
