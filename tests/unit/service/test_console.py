"""The console's data: made when asked for, for all who ask, and not more often than it changes."""

import json

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.unit.service.test_queries import AT_THE_SOURCE
from wallaroo.clock import ManualClock
from wallaroo.kafka.members import Member
from wallaroo.service.cached import Cached
from wallaroo.service.console import Console, identity_of
from wallaroo.service.supervisor import Supervisor
from wallaroo.settings import Settings

[SUB] = AT_THE_SOURCE.sub_topologies
APP = AT_THE_SOURCE.application_id


def made_by(counted, lasts_ms=900):
    clock = ManualClock(10_000)

    def make():
        counted.append(clock.now_ms())
        return len(counted)

    return clock, Cached(make, lasts_ms, clock.now_ms)


def console(members=lambda _group: [], ask=lambda _url, _name: (None, "does not answer")):
    clock = ManualClock(65_000)
    supervisor = Supervisor(dict, lambda _partitions: [], clock, "kafka:9092")
    identity = identity_of(Settings(), AT_THE_SOURCE, "i1", clock.now_ms())
    return Console(identity, AT_THE_SOURCE, supervisor, members, ask, clock.now_ms)


def instances(*args, **options):
    return json.loads(console(*args, **options).instances())


def member(name, *numbers):
    places = frozenset((SUB.input.topic, number) for number in numbers)
    return Member(f"{APP}-{SUB.name}-{name}", "10.0.0.3", places)


def test_nothing_is_made_before_somebody_asks():
    made = []
    made_by(made)
    assert made == []


def test_all_who_ask_within_a_second_get_what_was_made_once():
    made = []
    clock, kept = made_by(made)
    first = kept()
    clock.advance(899)
    assert (first, kept(), len(made)) == (1, 1, 1)


def test_it_is_made_again_when_it_is_old():
    clock, kept = made_by([])
    kept()
    clock.advance(900)
    assert kept() == 2


def test_it_is_made_again_when_the_time_of_day_was_set_back():
    clock, kept = made_by([])
    kept()
    clock.advance(-5_000)
    assert kept() == 2


def test_before_a_worker_was_started_the_snapshot_says_why():
    shown = json.loads(console().snapshot())
    assert shown["identity"]["application"] == APP
    assert shown["identity"]["instance"] == "i1"
    assert shown["workers"] == []
    assert "kafka:9092" in shown["ready"]["reasons"][0]


def test_instances_are_told_with_what_they_own_and_where_their_pages_are():
    found = instances(lambda _group: [member("i2-0@http://h:1", 3, 1), member("i1-1", 0), member("i2-4")])
    mine, other = found["instances"]
    assert (mine["name"], mine["is_this"], mine["url"]) == ("i1", True, "")
    assert (other["name"], other["is_this"], other["url"]) == ("i2", False, "http://h:1")
    assert other["owns"] == [
        {"sub_topology": SUB.name, "worker": "0", "partitions": [1, 3]},
        {"sub_topology": SUB.name, "worker": "4", "partitions": []},
    ]


@pytest.mark.parametrize(
    "error", [KafkaException(KafkaError(KafkaError._TRANSPORT)), TimeoutError("no answer within 2 s")]
)
def test_a_cluster_that_does_not_say_who_the_others_are_is_a_problem_in_words(error):
    def members(_group):
        raise error

    found = instances(members)
    assert found["instances"] == []
    assert found["problem"].startswith("Kafka does not say who the others are: ")


def test_other_instances_are_asked_what_they_show_where_they_say_where_they_are():
    def members(_group):
        return [
            member("i1-0@http://h:0", 0),
            member("i2-0@http://h:1", 1),
            member("i3-0@http://h:2", 2),
            member("i4-0", 3),
        ]

    def ask(url, name):
        return ({"by": name}, "") if url == "http://h:1" else (None, "does not answer: refused")

    found = {
        each["name"]: (each["snapshot"], each["problem"]) for each in instances(members, ask)["instances"]
    }
    assert found == {
        "i1": (None, ""),
        "i2": ({"by": "i2"}, ""),
        "i3": (None, "does not answer: refused"),
        "i4": (None, ""),
    }


def test_what_is_forgotten_is_made_anew():
    made = []
    _, kept = made_by(made)
    kept()
    kept.forget()
    assert kept() == 2
