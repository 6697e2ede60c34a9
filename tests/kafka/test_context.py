"""Contexts on a real broker: headers through a hop, outputs with everything, states that are deleted."""

import time

from tests.kafka.cluster import Sent, produce, wait_until


def sent(number, value, now, tenant=b"rex"):
    headers = (("tenant", tenant), ("trace", b"%d" % number), ("other", b"x"))
    return Sent(None, value, partition=0, timestamp_ms=now + number, headers=headers)


def outputs(scenario, count):
    tail = scenario.tail(scenario.out_topic)
    return wait_until(lambda: found if len(found := list(tail.read())) >= count else None, 60)


def test_headers_cross_a_hop_and_a_deleted_state_stays_deleted(scenario):
    scenario.application = "tests.kafka.context_app"
    now = time.time_ns() // 1_000_000
    service = scenario.start()
    names = ["a", "b", "delete", "c", "bad", "delete and fail", "d", "delete"]
    orders = [sent(number, name, now) for number, name in enumerate(names)]
    produce(scenario.servers, scenario.in_topic, orders[:2])
    outputs(scenario, 2)
    produce(scenario.servers, scenario.in_topic, orders[2:])
    outputs(scenario, 6)
    assert service.stop() == 0
    again = scenario.start()
    produce(scenario.servers, scenario.in_topic, [sent(8, "e", now)])
    found = outputs(scenario, 7)
    assert again.stop() == 0
    counted = [(1, 0), (2, 1), (3, 2), (1, 3), (2, 6), (3, 7), (1, 8)]
    assert [message.value().decode() for message in found] == [
        f"rex {count} 0@{offset} {(now + offset) * 1_000_000}" for count, offset in counted
    ]
    assert [(message.key(), message.timestamp()[1]) for message in found] == [
        (b"rex", now + offset + 1) for _, offset in counted
    ]
    assert [message.headers() for message in found] == [
        [("trace", b"%d" % offset), ("kind", b"count"), ("empty", None)] for _, offset in counted
    ]
    changelog = scenario.tail(scenario.changelog_of("count")).read_to_end()
    deleted = [message.value() for message in changelog if message.key() == b"rex"]
    assert None in deleted
    assert deleted[-1] == b'1J{"count":1}'
    dead = [dict(message.headers())["__streams.errors.message"] for message in scenario.dead()]
    assert sorted(dead) == [b"bad at 4", b"delete and fail"]
