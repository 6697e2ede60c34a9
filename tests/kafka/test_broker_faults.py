"""A broker that is restarted under load, cleanly or not, changes nothing; one that is away costs nothing."""

import os
import time
from functools import partial

import pytest

from tests.kafka.cluster import create_topic, wait_until
from tests.kafka.lost_ends import feed_until_ended
from tests.kafka.model import transactions
from wallaroo.kafka.clients import group_consumer
from wallaroo.settings import Settings

pytestmark = pytest.mark.slow

SESSION_MS = 6_000
MEMBERS = 6
# One that asks at the moment at which a broker stops is told that there are none.
ASKING = {"topic.metadata.refresh.interval.ms": 20}


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_restarted_under_load_changes_nothing(own_broker, own_scenario, rng, end):
    # It is away for about ten seconds, which nobody's time-out should end.
    own_scenario.settings = {"session_timeout_ms": 45_000, "transaction_timeout_ms": 60_000}
    service = own_scenario.start()
    with own_scenario.feeding(transactions(rng, 20_000), seconds=12):
        wait_until(lambda: own_scenario.tail(own_scenario.out_topic).read())
        getattr(own_broker, end)()
        own_broker.restart()
    feed_until_ended(own_scenario.servers, own_broker.log, lambda: own_scenario.send(transactions(rng, 400)))
    own_scenario.finish()
    assert "Traceback" not in service.words()


def test_consumers_that_were_told_of_no_broker_come_back_to_their_groups(own_broker):
    servers = own_broker.bootstrap_servers
    settings = Settings(bootstrap_servers=servers, session_timeout_ms=SESSION_MS, kafka=ASKING)
    create_topic(servers, "in", 1)
    assigned = set()
    members = {}
    for number in range(MEMBERS):
        members[number] = group_consumer(settings, f"group-{number}", f"member-{number}")
        gone = partial(lambda number, *_: assigned.discard(number), number)
        members[number].subscribe(
            ["in"],
            on_assign=partial(lambda number, *_: assigned.add(number), number),
            on_revoke=gone,
            on_lost=gone,
        )

    def poll_until(wanted):
        for member in members.values():
            member.poll(0)
        return assigned == wanted

    wait_until(lambda: poll_until(set(members)))
    own_broker.stop()
    wait_until(lambda: poll_until(set()))
    own_broker.start()
    wait_until(lambda: poll_until(set(members)))
    for member in members.values():
        member.close()


def test_a_worker_whose_brokers_are_away_waits_without_working(own_broker, own_scenario, rng):
    service = own_scenario.start()
    own_scenario.send(transactions(rng, 2_000))
    wait_until(lambda: own_scenario.tail(own_scenario.out_topic).read())
    own_broker.kill()
    time.sleep(3)
    before = cpu_seconds(service)
    time.sleep(5)
    assert cpu_seconds(service) - before < 1


def test_an_outage_is_said_in_two_lines_and_by_readyz_within_five_seconds(own_broker, own_scenario, rng):
    service = own_scenario.start()
    own_scenario.send(transactions(rng, 2_000))
    wait_until(lambda: own_scenario.tail(own_scenario.out_topic).read())
    own_broker.kill()
    began = time.monotonic()
    wait_until(lambda: service.status("/readyz") == 503, 10)
    assert time.monotonic() - began < 6
    assert "Kafka cannot be reached since" in service.get("/readyz")[1]
    assert f"at {own_scenario.servers}: " in service.get("/readyz")[1]
    assert service.status("/healthz") == 200
    own_broker.restart()
    wait_until(lambda: "Kafka can be reached again" in service.words(), 30)
    said = [line for line in service.words().splitlines() if f"brokers={own_scenario.servers}" in line]
    assert [line.split()[2] for line in said] == ["Kafka", "Kafka"]


def cpu_seconds(service):
    ticks = 0
    for pid in service.worker_pids():
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
