"""A request of a transaction that comes late, over a connection that was reset, changes nothing.

The client has sent it once more meanwhile, and goes on. What was held is delivered at each place of the
transactions that follow, and after each delivery the worker is started anew, from what the group has.
"""

import logging
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker
from scripts.kafka.process import free_port
from tests.kafka.cluster import create_topic, wait_until
from tests.kafka.model import transactions
from tests.kafka.proxy import Api, FaultyProxy, LateOnce, Nothing, RandomResets, proxied
from tests.kafka.scenario import Scenario
from tests.kafka.tail import Tail
from tests.kafka.test_generator import Counter, doubled
from wallaroo.engine.hole import committed_offsets, missing_results
from wallaroo.engine.transaction import Commit, exactly_once, no_probe
from wallaroo.errors import CommitError, KafkaSetupError
from wallaroo.kafka.clients import largest_record, task_transactions, transactional_ids
from wallaroo.kafka.connection_log import ConnectionLog
from wallaroo.kafka.producers import ProducerTurns
from wallaroo.kafka.retry import retry
from wallaroo.record import Batch, Partition
from wallaroo.settings import Settings

PLACES = (
    Api.INIT_PRODUCER_ID,
    Api.ADD_OFFSETS_TO_TXN,
    Api.TXN_OFFSET_COMMIT,
    Api.ADD_PARTITIONS_TO_TXN,
    Api.PRODUCE,
    Api.END_TXN,
)
# The client itself refuses it. Where the broker does, the client aborts by raising its epoch.
TOO_LARGE = largest_record(Settings()) + 1
RECORDS = 5
AFTERWARDS = 4
RESETS = 40


class ProxiedKafka:
    """A broker, and a proxy on the way to it."""

    def __init__(self, folder):
        listener, through, port, controller = (free_port() for _ in range(4))
        properties = proxied(listener, through, port, controller)
        self.broker = KafkaBroker(folder, port, properties, performance=SHORT_LIVED)
        self.broker.start()
        self.proxy = FaultyProxy(through, listener)

    @property
    def direct(self) -> str:
        return self.broker.bootstrap_servers

    def close(self) -> None:
        self.proxy.close()
        self.broker.stop()


@pytest.fixture(scope="module")
def proxied_kafka(kafka_cluster, tmp_path_factory) -> Iterator[ProxiedKafka]:
    if kafka_cluster.broker is None:
        pytest.skip("a broker of its own cannot be started here")
    made = ProxiedKafka(tmp_path_factory.mktemp("proxied"))
    yield made
    made.close()


class Worker:
    """Writes the numbers from 0 on, some in each transaction, as a loop without tasks would."""

    def __init__(self, kafka, name):
        self.open_producer = task_transactions
        self._kafka = kafka
        self.name = name
        self.out = f"{name}-out"
        create_topic(kafka.direct, f"{name}-in", 1)
        create_topic(kafka.direct, self.out, 2)
        self._consumer = Consumer({"bootstrap.servers": kafka.direct, "group.id": name})
        self._admin = AdminClient({"bootstrap.servers": kafka.direct})
        # From now on the group has a coordinator.
        start = TopicPartition(f"{name}-in", 0, 0)
        retry(lambda: self._consumer.commit(offsets=[start], asynchronous=False))
        self.tail = Tail(kafka.direct, self.out)
        self.restart()

    def restart(self):
        """Open everything anew, and go on from what the group has."""
        settings = Settings(bootstrap_servers=self._kafka.proxy.address)
        ids = transactional_ids(self.name)
        turns = ProducerTurns([partial(self.open_producer, settings, each) for each in ids])
        self._write = exactly_once(turns, no_probe, lambda _batches, _error: None, self._find_hole)
        at = ConsumerGroupTopicPartitions(self.name, [TopicPartition(f"{self.name}-in", 0)])
        asked = self._admin.list_consumer_group_offsets([at], require_stable=True)[self.name]
        self.position = asked.result(10).topic_partitions[0].offset

    def commit(self, *more):
        """One transaction, which is aborted if `more` is too large; then it has not been."""
        end = self.position + RECORDS
        outputs = [(self.out, b"%d" % n, b"%d" % n, n % 2) for n in range(self.position, end)]
        outputs += [(self.out, value, b"", 0) for value in more]
        batch = Batch(Partition(f"{self.name}-in", 0), end, RECORDS, 0, outputs, [], {}, {})
        try:
            starts = {batch.partition: self.position}
            if self._write(Commit([batch], self._consumer.consumer_group_metadata(), starts)).committed:
                self.position = end
        except CommitError as error:
            print(f"started anew at {self.position}: {error}")
            self.restart()

    def run(self, plan, aborted=()):
        """Write until something has been delivered late, and a little more; start anew after either."""
        self._kafka.proxy.plan = plan
        for value in aborted:
            self.commit(value)
        wait_until(lambda: self.commit() or plan.delivered.is_set())
        self.restart()
        for _ in range(AFTERWARDS):
            self.commit()
        self._kafka.proxy.plan = Nothing()
        self.restart()

    def _find_hole(self, commit):
        ends = {batch.partition: batch.next_offset for batch in commit.batches}
        committed = committed_offsets(self._consumer, list(ends))
        return missing_results(self.name, commit.starts, ends, committed)

    def written(self):
        return sorted(int(message.value()) for message in self.tail.read_to_end())

    def close(self):
        self.tail.close()
        self._consumer.close()


@pytest.fixture
def worker(proxied_kafka, application_id) -> Iterator[Worker]:
    made = Worker(proxied_kafka, application_id)
    yield made
    made.close()


def unwatched(settings, transactional_id):
    """A producer that is never in doubt, as far as its turns know."""
    return replace(
        task_transactions(settings, transactional_id),
        connections=ConnectionLog(logging.getLogger(__name__), logging.CRITICAL),
    )


def of(worker, api, *, commits=None):
    """Requests of this kind of the worker's first producer; ends that commit, or those that do not."""
    return lambda request: (
        request.api == api
        and request.client == worker.name
        and (commits is None or request.commits == commits)
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "api", [Api.END_TXN, Api.TXN_OFFSET_COMMIT, Api.ADD_PARTITIONS_TO_TXN, Api.ADD_OFFSETS_TO_TXN]
)
def test_nothing_is_lost_and_nothing_is_repeated_if_a_request_comes_late(worker, api, place):
    plan = LateOnce(of(worker, api), place)
    worker.run(plan)
    assert worker.position == len(worker.written())
    assert worker.written() == list(range(worker.position))


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_lost_and_nothing_is_repeated_if_an_abort_comes_late(worker, place):
    plan = LateOnce(of(worker, Api.END_TXN, commits=False), place, skip=0)
    worker.run(plan, aborted=[bytes(TOO_LARGE)])
    assert worker.position == len(worker.written())
    assert worker.written() == list(range(worker.position))


def test_many_resets_with_what_was_on_its_way_delivered_at_any_time_change_nothing(
    proxied_kafka, worker, rng: random.Random
):
    plan = proxied_kafka.proxy.plan = RandomResets(rng, share=0.2, most=RESETS)
    while plan.resets < RESETS:
        worker.commit()
    proxied_kafka.proxy.plan = Nothing()
    worker.restart()
    assert worker.position == len(worker.written())
    assert worker.written() == list(range(worker.position))


def test_if_doubt_were_missed_a_worker_would_not_go_on_past_what_is_missing(worker):
    worker.open_producer = unwatched
    worker.restart()
    with pytest.raises(KafkaSetupError, match=r"results are missing: group .* has committed the offsets"):
        worker.run(LateOnce(of(worker, Api.END_TXN), Api.ADD_PARTITIONS_TO_TXN))
    assert max(worker.written()) < worker.position + RECORDS


def proxied_scenario(kafka, application_id, folder, *arguments):
    settings = {"bootstrap_servers": kafka.proxy.address, "commit_interval_ms": 20}
    return Scenario(kafka.direct, application_id, folder, settings, arguments).create_topics()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["--partitioned-by-user"]], ids=["with a hop", "keyed"])
def test_a_service_whose_connections_are_reset_all_the_time_is_exact(
    proxied_kafka, application_id, tmp_path, rng, arguments
):
    scenario = proxied_scenario(proxied_kafka, application_id, tmp_path, *arguments)
    try:
        service = scenario.start()
        plan = proxied_kafka.proxy.plan = RandomResets(rng, share=0.3, most=80)
        with scenario.feeding(transactions(rng, 4_000), seconds=10):
            wait_until(lambda: plan.resets >= RESETS / 4)
        scenario.settle()
        # What has been done twice shows only to whoever begins where the group says.
        assert service.stop() == 0
        service.start()
        scenario.send(transactions(rng, 100))
        scenario.finish()
    finally:
        proxied_kafka.proxy.plan = Nothing()
        scenario.dispose()


@pytest.mark.slow
def test_a_generator_whose_connections_are_reset_all_the_time_is_exact(
    proxied_kafka, application_id, tmp_path, rng
):
    counter = Counter(proxied_kafka.proxy.address, application_id, tmp_path)
    try:
        plan = proxied_kafka.proxy.plan = RandomResets(rng, share=0.1, most=RESETS)
        counter.launch("--end=3000", "--pause-ms=2")
        wait_until(lambda: len(counter.numbers()) >= 3_000, 90)
        assert counter.numbers() == doubled(3_000)
        assert plan.resets > RESETS / 2
    finally:
        proxied_kafka.proxy.plan = Nothing()
        counter.dispose()
