"""Transactions that do not end: what waits for them is named, and what Kafka lost of our own is written."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import Sent, end_offsets, produce, wait_until
from tests.kafka.model import totals_in
from tests.kafka.raw import RawProducer
from tests.kafka.scenario import Scenario
from wallaroo.kafka.open_transactions import unstable_partitions

pytestmark = pytest.mark.slow

SUB = "transactions"
LONG_MS = 600_000


def transaction(number: int, user: str, amount: int = 1500) -> Sent:
    return Sent(None, f'{{"user": "{user}", "amount": {amount}}}', number)


@pytest.fixture
def stopped(scenario: Scenario) -> Scenario:
    """A service that has committed something in each partition, and is stopped."""
    return stopped_after_a_run(scenario)


def stopped_after_a_run(scenario: Scenario) -> Scenario:
    scenario.start()
    scenario.send([transaction(number, f"user-{number}") for number in range(4)])
    scenario.settle()
    scenario.stop_all()
    return scenario


def group_of(scenario: Scenario) -> str:
    return f"{scenario.application_id}-{SUB}"


def consumer_of(scenario: Scenario) -> Consumer:
    return Consumer({"bootstrap.servers": scenario.servers, "group.id": group_of(scenario)})


def partitions_of(scenario: Scenario) -> list[TopicPartition]:
    return [TopicPartition(scenario.in_topic, number) for number in range(4)]


def unstable(scenario: Scenario) -> list[tuple[str, int]]:
    return unstable_partitions(consumer_of(scenario), partitions_of(scenario), 0.5)


def stable_end(scenario: Scenario, number: int) -> int:
    return end_offsets(scenario.servers, scenario.changelog, IsolationLevel.READ_COMMITTED)[number]


def end(scenario: Scenario, number: int) -> int:
    return end_offsets(scenario.servers, scenario.changelog, IsolationLevel.READ_UNCOMMITTED)[number]


def groups(scenario: Scenario) -> list[str]:
    admin = AdminClient({"bootstrap.servers": scenario.servers})
    return [group.group_id for group in admin.list_consumer_groups().result().valid]


@pytest.fixture
def foreign(stopped: Scenario) -> Iterator[Producer]:
    """A producer with a transaction that is open for ten minutes."""
    config = {
        "bootstrap.servers": stopped.servers,
        "transactional.id": f"{stopped.application_id}-foreign",
        "transaction.timeout.ms": LONG_MS,
    }
    producer = Producer(config)
    producer.init_transactions(30)
    producer.begin_transaction()
    yield producer
    producer.abort_transaction()


def test_offsets_in_a_transaction_that_does_not_end_are_named(stopped, foreign):
    consumer = consumer_of(stopped)
    offsets = [TopicPartition(stopped.in_topic, 2, 1)]
    foreign.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
    service = stopped.launch()
    wait_until(lambda: "has been waiting since" in service.get("/readyz")[1], 60)
    status, text = service.get("/readyz")
    assert status == 503
    assert f"the group {group_of(stopped)} has been waiting since" in text
    assert f"for its offsets of {stopped.in_topic}[2]: " in text
    assert "describe-producers --topic __consumer_offsets --partition " in text
    assert service.words().count("waiting for a transaction") == 1
    foreign.abort_transaction()
    service.wait_ready()
    foreign.begin_transaction()


def test_partitions_of_input_and_changelog_that_cannot_be_read_on_are_named(stopped, foreign):
    foreign.produce(stopped.in_topic, b"pending", partition=1)
    foreign.produce(stopped.changelog, b"pending", b"key", 3)
    foreign.flush()
    service = stopped.launch()
    wait_until(lambda: service.get("/readyz")[1].count("cannot be read beyond offset") == 2, 120)
    text = service.get("/readyz")[1]
    assert f"{stopped.changelog}[3] cannot be read beyond offset " in text
    assert f"{stopped.in_topic}[1] cannot be read beyond offset " in text
    assert f"describe-producers --topic {stopped.in_topic} --partition 1`" in text
    assert service.words().count("waiting for a transaction") == 2
    foreign.abort_transaction()
    service.wait_ready()
    foreign.begin_transaction()


@pytest.mark.parametrize(("committed", "total"), [(True, 1510), (False, 1710)])
@pytest.mark.parametrize(
    "own_broker", [{"transaction.partition.verification.enable": "false"}], indirect=True
)
def test_the_lost_end_of_an_own_transaction_is_written_as_it_was_meant(own_scenario, committed, total):
    # given offsets behind two records, in an own transaction that is over for all but the group
    scenario = stopped_after_a_run(own_scenario)
    topic = scenario.in_topic
    produce(scenario.servers, topic, [transaction(0, "user-0", 100)] * 2)
    lost = RawProducer(scenario.servers, f"{group_of(scenario)}-lost-0-b")
    lost.add_group(group_of(scenario))
    lost.send_offsets(group_of(scenario), topic, [(1, 1)])
    lost.end(committed)
    wait_until(lambda: not unstable(scenario))
    lost.send_offsets(group_of(scenario), topic, [(0, 3)])
    lost.close()
    assert unstable(scenario) == [(topic, 0)]
    # when the worker with that transactional id starts (a transaction of its own has a position, too)
    service = scenario.start(instance="lost", on_position_mismatch="group")
    produce(scenario.servers, topic, [transaction(0, "user-0", 10)])
    # then it goes on behind the two records if their transaction was committed, and reads them if it was not
    wait_until(lambda: totals_in(scenario.tail(scenario.changelog).read()).get(b"user-0") == total)
    assert "waiting for a transaction" not in service.words()
    assert f"committed={str(committed).lower()}" in service.words().lower()
    assert not [group for group in groups(scenario) if ".end." in group]


@pytest.mark.parametrize(("committed", "total"), [(True, 71), (False, 1501)])
@pytest.mark.parametrize(
    "own_broker", [{"transaction.partition.verification.enable": "false"}], indirect=True
)
def test_a_restore_does_not_wait_for_the_lost_end_of_an_own_transaction(own_scenario, committed, total):
    # given a state in the changelog, in an own transaction that is over for all but this partition
    scenario = stopped_after_a_run(own_scenario)
    changelog = scenario.changelog
    (number,) = {m.partition() for m in scenario.tail(changelog).read() if m.key() == b"user-0"}
    lost = RawProducer(scenario.servers, f"{scenario.application_id}-extract-user-lost-0")
    lost.add_partition(changelog, number)
    lost.produce(changelog, number, b"other", b'1J{"total":1}', 0)
    lost.end(committed)
    wait_until(lambda: stable_end(scenario, number) == end(scenario, number))
    lost.produce(changelog, number, b"user-0", b'1J{"total":70}', 1)
    lost.close()
    # when the worker with that transactional id starts
    scenario.start(instance="lost")
    produce(scenario.servers, scenario.in_topic, [transaction(0, "user-0", 1)])
    # then it restores the state if it was committed, and the one before if it was not
    wait_until(lambda: totals_in(scenario.tail(changelog).read()).get(b"user-0") == total)
