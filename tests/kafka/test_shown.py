"""What is shown is true: the lag behind a hop, whatever its worker is doing, and a record that takes long."""

import pytest

from tests.kafka.cluster import Sent, produce, wait_until

pytestmark = pytest.mark.slow

COUNT = 18_850
LAG = "wallaroo_consumer_lag_records"


@pytest.fixture
def slow(scenario, tmp_path):
    scenario.application = "tests.kafka.slow_app"
    scenario.arguments = ("--folder", str(tmp_path))
    return scenario


def is_near(lag, wanted):
    return abs(lag - wanted) <= wanted / 10


def test_lag_and_a_record_that_takes_long_are_shown_while_it_does_and_while_workers_crash(slow, tmp_path):
    block, crash = tmp_path / "block", tmp_path / "crash"
    block.touch()
    service = slow.start(workers=1)
    hop = {"sub_topology": "extract-user"}
    # Of different sizes, as traffic is: many a batch behind the hop holds few records.
    sent = 0
    for size in (1, 9, 40, 800, 3_000, 15_000):
        produce(slow.servers, slow.in_topic, [Sent(f"user{n}", b"user%d" % (n % 500)) for n in range(size)])
        sent += size
        wait_until(
            lambda wanted=sent: (
                service.metric("wallaroo_records_produced_total", topic=slow.repartition) == wanted
            )
        )
    wait_until(lambda: is_near(service.metric(LAG, **hop), COUNT), 20)
    assert service.metric("wallaroo_records_consumed_total", **hop) <= COUNT
    wait_until(lambda: service.metric("wallaroo_record_in_progress_seconds", **hop) > 5, 10)
    named = "stage 'add up' has been at one record for"
    assert any(named in each and slow.repartition in each for each in service.get_json("/readyz")["reasons"])
    assert "slow_app.py:" in service.get("/readyz")[1]
    assert 'WARNING record takes long worker=0 loop=extract-user stage="add up"' in service.words()
    crash.touch()
    block.unlink()
    wait_until(lambda: service.metric("wallaroo_worker_restarts_total") >= 1, 20)
    wait_until(lambda: is_near(service.metric(LAG, **hop), COUNT), 20)
    restarts = service.metric("wallaroo_worker_restarts_total")
    seen = []
    wait_until(
        lambda: (
            seen.append(service.metric(LAG, **hop))
            or service.metric("wallaroo_worker_restarts_total") > restarts
        ),
        30,
    )
    assert [lag for lag in seen if not is_near(lag, COUNT)] == []
    crash.unlink()
    wait_until(lambda: service.metric("wallaroo_records_processed_total", **hop) >= COUNT, 60)
    wait_until(lambda: service.metric(LAG) == 0, 20)
    assert service.metric("wallaroo_records_consumed_total", **hop) == COUNT
    slow.stop_all()
