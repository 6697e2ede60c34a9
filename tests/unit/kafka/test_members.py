"""Who is in a group, as Kafka describes it: asked once, however many want to know."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from wallaroo.clock import ManualClock
from wallaroo.kafka.members import Group, GroupMembers, Member, Membership, Owner, owner_of, reason_of


class Admin:
    """Kafka, which answers when a test says so."""

    def __init__(self):
        self.asked = []

    def describe_consumer_groups(self, groups, request_timeout):
        # Longer than the socket's: see the constant.
        assert request_timeout > 60
        self.asked.append(Future())
        return dict.fromkeys(groups, self.asked[-1])


@pytest.fixture
def admin():
    return Admin()


def described(*names):
    assignment = SimpleNamespace(topic_partitions=[TopicPartition("in", 1), TopicPartition("in", 3)])
    members = [SimpleNamespace(client_id=name, host="/10.0.0.3", assignment=assignment) for name in names]
    return SimpleNamespace(members=members)


def test_a_member_has_the_partitions_of_its_assignment(admin):
    members = GroupMembers(admin, 0.0)
    with pytest.raises(TimeoutError):
        members("group")
    admin.asked[0].set_result(described("app-add-i1-0"))
    admin.describe_consumer_groups = lambda *_, **__: {"group": admin.asked[0]}
    assert members("group") == [Member("app-add-i1-0", "10.0.0.3", frozenset({("in", 1), ("in", 3)}))]


def test_while_kafka_does_not_answer_it_is_not_asked_again(admin):
    members = GroupMembers(admin, 0.0)
    for _ in range(3):
        with pytest.raises(TimeoutError, match="no answer within 0 s"):
            members("group")
    assert len(admin.asked) == 1


def test_the_reason_of_a_refusal_is_a_text():
    assert "Broker transport failure" in reason_of(KafkaException(KafkaError(KafkaError._TRANSPORT)))
    assert reason_of(TimeoutError("no answer within 2 s")) == "no answer within 2 s"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def membership(clock):
    membership = Membership("in", clock)
    membership.group = "shop-in"
    return membership


def test_a_member_that_is_out_of_its_group_for_ten_seconds_is_named_with_the_group_and_the_cause(
    membership, clock
):
    membership.left()
    membership.refused(KafkaError(KafkaError.INCONSISTENT_GROUP_PROTOCOL, "JoinGroup failed"))
    clock.advance(8_000)
    assert membership.obstacle == ""
    clock.advance(2_000)
    text = membership.obstacle
    assert text.startswith(
        "out of the group shop-in since 1970-01-01T00:00:00+00:00: JoinGroup failed; another"
    )
    assert "let only this application use the group" in text


def test_a_member_that_has_been_let_in_is_not_named(membership, clock):
    membership.left()
    clock.advance(20_000)
    membership.entered()
    assert membership.obstacle == ""


def test_what_a_group_says_to_a_member_that_stays_is_no_obstacle(membership, clock):
    membership.refused(KafkaError(KafkaError.GROUP_MAX_SIZE_REACHED, "no room"))
    clock.advance(20_000)
    assert membership.obstacle == ""


def test_a_group_that_says_nothing_is_named_too(membership, clock):
    membership.left()
    clock.advance(20_000)
    assert "Kafka has not answered what it gets" in membership.obstacle


def test_a_group_that_refuses_again_and_again_is_logged_twice_a_minute(membership, clock, caplog):
    for _ in range(60):
        membership.refused(KafkaError(KafkaError.GROUP_MAX_SIZE_REACHED, "no room"))
        clock.advance(1_000)
    assert [record.message for record in caplog.records] == ["group refuses"] * 2


@pytest.mark.parametrize(
    ("client_id", "owner"),
    [
        ("app-add-i2-0", Owner("i2", "0", "h", "")),
        ("app-add-my-host-2-13", Owner("my-host-2", "13", "h", "")),
        ("app-add-i2-0@http://10.0.0.3:8080", Owner("i2", "0", "h", "http://10.0.0.3:8080")),
        ("app-add-i2-0@https://h/i2", Owner("i2", "0", "h", "https://h/i2")),
        ("app-add-i2-0@file:///etc/passwd", Owner("i2", "0", "h", "")),
        ("app-add-i2-0@http://user@h:1", Owner("i2", "0", "h", "")),
        ("chosen", Owner("chosen", "chosen", "h", "")),
    ],
)
def test_an_owner_is_read_from_its_client_id(client_id, owner):
    assert owner_of(Member(client_id, "h", frozenset()), "app-add-") == owner


STATES = [("STABLE", "stable"), ("PREPARING_REBALANCE", "preparing rebalance")]


@pytest.mark.parametrize(("state", "text"), STATES)
def test_a_group_has_a_state_in_words(admin, state, text):
    found = described("i1")
    found.state = SimpleNamespace(name=state)
    assert describe(admin, found).state == text


def test_a_group_that_there_is_not_has_no_members(admin):
    found = described()
    found.state = SimpleNamespace(name="DEAD")
    assert describe(admin, found) == Group("none")


def test_a_broker_that_knows_no_such_group_is_understood(admin):
    members = GroupMembers(admin, 1.0)
    members._ask("group").set_exception(KafkaException(KafkaError(KafkaError.GROUP_ID_NOT_FOUND)))
    admin.describe_consumer_groups = lambda groups, request_timeout: dict.fromkeys(groups, admin.asked[0])
    assert members.describe("group") == Group("none")


def describe(admin, found):
    answer = Future()
    answer.set_result(found)
    admin.describe_consumer_groups = lambda groups, request_timeout: dict.fromkeys(groups, answer)
    return GroupMembers(admin, 1.0).describe("group")
