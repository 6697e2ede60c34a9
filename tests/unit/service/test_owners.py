"""Partitions of other instances: who owns them, and what the owners say."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.unit.service.test_queries import AT_THE_SOURCE, KEY
from wallaroo.clock import ManualClock
from wallaroo.kafka.members import Member
from wallaroo.observability.answers import NoSuchKey, StateFound, StateUnavailable
from wallaroo.observability.token import Token
from wallaroo.service.owners import OtherInstances
from wallaroo.service.queries import Question

[SUB] = AT_THE_SOURCE.sub_topologies
FOUND = StateFound(1, 0, 5, "i2")
TOKEN = Token("0123456789abcdef", ManualClock().now_ms)


def member(name, *numbers, host="10.0.0.3"):
    return Member(f"app-{SUB.name}-{name}", host, frozenset((SUB.input.topic, number) for number in numbers))


def answer_of(members, *numbers, ask=None):
    def members_of(group):
        assert group == SUB.group
        if isinstance(members, Exception):
            raise members
        return members

    others = OtherInstances(members_of, "app", "i1", TOKEN, ask)
    return others.state(Question(SUB, "add-up", KEY, frozenset(numbers)))


def test_an_owner_without_an_address_is_named_with_its_host_and_what_to_do():
    answer = answer_of([member("i1-0", 0), member("i2-3", 1)], 1)
    assert isinstance(answer, StateUnavailable)
    assert "partition 1 of stage 'add-up' belongs to instance 'i2' (worker 3, host 10.0.0.3)" in answer.reason
    assert "advertised_http" in answer.reason


def test_an_owner_with_an_address_is_asked_about_its_partitions():
    asked = []

    def ask(token, *question):
        assert token is TOKEN
        asked.append(question)
        return FOUND

    assert answer_of([member("i2-0@http://h:1", 0, 1, 3)], 1, 3, ask=ask) == FOUND
    assert asked == [("http://h:1", "i2", "add-up", KEY, {1, 3})]


def test_there_is_no_state_if_every_owner_says_so():
    members = [member("i2-0@http://h:1", 0, 1), member("i3-0@http://h:2", 2)]
    assert answer_of(members, 1, 2, ask=lambda *_: NoSuchKey()) == NoSuchKey()


def test_one_owner_that_cannot_say_leaves_it_open():
    members = [member("i2-0@http://h:1", 1), member("i3-0", 2)]
    answer = answer_of(members, 1, 2, ask=lambda *_: NoSuchKey())
    assert isinstance(answer, StateUnavailable)
    assert "instance 'i3'" in answer.reason


def test_one_owner_that_has_the_state_is_enough():
    members = [member("i3-0", 2), member("i2-0@http://h:1", 1)]
    assert answer_of(members, 1, 2, ask=lambda *_: FOUND) == FOUND


def test_a_partition_on_its_way_here_is_said_to_be():
    answer = answer_of([member("i1-2", 1)], 1)
    assert isinstance(answer, StateUnavailable)
    assert "belongs to worker 2 of this instance" in answer.reason


def test_a_partition_without_an_owner_is_said_to_be_moving():
    answer = answer_of([member("i2-0", 0)], 1)
    assert isinstance(answer, StateUnavailable)
    assert "is moving" in answer.reason


@pytest.mark.parametrize(
    "error", [KafkaException(KafkaError(KafkaError._TRANSPORT)), TimeoutError("no answer")]
)
def test_if_kafka_does_not_say_whose_it_is_the_reason_is_shown(error):
    answer = answer_of(error, 1)
    assert isinstance(answer, StateUnavailable)
    assert "not of this instance, and Kafka does not say whose: " in answer.reason
