"""A member that its group has put out is named, and comes back by itself where Kafka lets it."""

import socket
import struct
from contextlib import closing

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import wait_until
from tests.kafka.model import transaction
from tests.kafka.scenario import Scenario

pytestmark = pytest.mark.slow
_LEAVE_GROUP = 13


def text(value):
    return struct.pack(">h", len(value.encode())) + value.encode()


def remove_member(servers, group, instance_id):
    """What the tools of an operator do: a static member leaves, whether it wants to or not."""
    host, _, port = servers.rpartition(":")
    body = text(group) + struct.pack(">i", 1) + text("") + text(instance_id)
    request = struct.pack(">hhi", _LEAVE_GROUP, 3, 1) + text("operator") + body
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        assert connection.recv(4)


def instance_ids(servers, group):
    admin = AdminClient({"bootstrap.servers": servers})
    return [
        member.group_instance_id for member in admin.describe_consumer_groups([group])[group].result().members
    ]


@pytest.fixture
def group(scenario: Scenario):
    return f"{scenario.application_id}-transactions"


def test_a_member_that_was_removed_is_back_at_once(scenario, group):
    service = scenario.start(session_timeout_ms=6_000)
    scenario.send([transaction("rex", 3_000)])
    scenario.settle()
    [instance_id] = instance_ids(scenario.servers, group)
    remove_member(scenario.servers, group, instance_id)
    wait_until(lambda: "partitions lost" in service.words())
    wait_until(lambda: service.status("/readyz") == 200)
    scenario.send([transaction("rex", 3_000)])
    scenario.finish()


def test_a_member_whose_group_others_have_taken_is_named_and_goes_on_when_they_have_left(scenario, group):
    service = scenario.start(session_timeout_ms=6_000, workers=2)
    scenario.settle()
    settings = {
        "bootstrap.servers": scenario.servers,
        "group.id": group,
        "partition.assignment.strategy": "roundrobin",
        "session.timeout.ms": 6_000,
    }
    with closing(Consumer(settings)) as stranger:
        stranger.subscribe([scenario.in_topic])

        def takes_over():
            for instance_id in instance_ids(scenario.servers, group):
                if instance_id:
                    remove_member(scenario.servers, group, instance_id)
            stranger.poll(0.2)
            return stranger.assignment()

        wait_until(takes_over)
        named = f"out of the group {group} since"

        def is_named():
            stranger.poll(0.2)
            return named in service.get("/readyz")[1]

        wait_until(is_named)
        assert "let only this application use the group" in service.get("/readyz")[1]
        assert "WARNING group refuses" in service.words()
    wait_until(lambda: service.status("/readyz") == 200)
    scenario.send([transaction("rex", 3_000)])
    scenario.finish()
