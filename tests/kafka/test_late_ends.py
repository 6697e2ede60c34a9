"""A request of a transaction that comes late, over a connection that was reset, changes nothing.

The client has sent it once more meanwhile, and goes on. What was held is delivered at each place of the
transactions that follow, and after each delivery the worker is started anew, from what the group has.
"""

import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.kafka.cluster import create_topic, wait_until
from tests.kafka.proxy import Api, LateOnce, RandomResets
from tests.kafka.tail import Tail
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
RESETS = 80
# So many workers at the same time: each of them waits most of the time.
SIDE_BY_SIDE = 4


class Worker:
    """Writes the numbers from 0 on, some in each transaction, as a loop without tasks would."""

    def __init__(self, servers, proxy, name):
        self.open_producer = task_transactions
        self._proxy = proxy
        self.name = name
        self.out = f"{name}-out"
        create_topic(servers, f"{name}-in", 1)
        create_topic(servers, self.out, 2)
        self._consumer = Consumer({"bootstrap.servers": servers, "group.id": name})
        # From now on the group has a coordinator.
        start = TopicPartition(f"{name}-in", 0, 0)
        retry(lambda: self._consumer.commit(offsets=[start], asynchronous=False))
        self.tail = Tail(servers, self.out)
        self._seen = 0
        self.restart()

    def restart(self):
        """Open everything anew, and go on from what the group has."""
        settings = Settings(bootstrap_servers=self._proxy.address)
        ids = transactional_ids(self.name)
        turns = ProducerTurns([partial(self.open_producer, settings, each) for each in ids])
        self._write = exactly_once(turns, no_probe, lambda _batches, _error: None, self._find_hole)
        self.position = self._committed()

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
        """Write until something has been delivered late, and a little more; returns from where and to where.

        After either, go on from what the group has, as a worker that is started anew would.
        """
        began, self._seen = self.position, len(self.tail.messages)
        self._proxy.plan = plan
        for value in aborted:
            self.commit(value)
        wait_until(lambda: self.commit() or plan.delivered.is_set())
        self.position = self._committed()
        for _ in range(AFTERWARDS):
            self.commit()
        self.position = self._committed()
        return list(range(began, self.position))

    def _committed(self):
        at = Partition(f"{self.name}-in", 0)
        return committed_offsets(self._consumer, [at])[at]

    def _find_hole(self, commit):
        ends = {batch.partition: batch.next_offset for batch in commit.batches}
        committed = committed_offsets(self._consumer, list(ends))
        return missing_results(self.name, commit.starts, ends, committed)

    def written(self):
        """What has been written since the last run began."""
        return sorted(int(message.value()) for message in self.tail.read_to_end()[self._seen :])

    def close(self):
        self.tail.close()
        self._consumer.close()


@pytest.fixture(scope="module")
def shared_worker(bootstrap_servers) -> Iterator[list[Worker]]:
    """The worker of all tests that it survives; none at first."""
    made = []
    yield made
    for worker in made:
        worker.close()


@pytest.fixture
def worker(shared_worker, bootstrap_servers, proxy, application_id) -> Worker:
    if not shared_worker:
        shared_worker.append(Worker(bootstrap_servers, proxy, application_id))
    return shared_worker[0]


@pytest.fixture
def own_worker(bootstrap_servers, proxy, application_id) -> Iterator[Worker]:
    made = Worker(bootstrap_servers, proxy, application_id)
    yield made
    made.close()


def unwatched(settings, transactional_id):
    """A producer that is never in doubt, as far as its turns know."""
    return replace(
        task_transactions(settings, transactional_id),
        connections=ConnectionLog(logging.getLogger(__name__), logging.CRITICAL),
    )


def of(worker, api, *, commits=None):
    """Requests of this kind of one of the worker's producers; ends that commit, or those that do not."""
    return lambda request: (
        request.api == api
        and request.client in transactional_ids(worker.name)
        and (commits is None or request.commits == commits)
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "api", [Api.END_TXN, Api.TXN_OFFSET_COMMIT, Api.ADD_PARTITIONS_TO_TXN, Api.ADD_OFFSETS_TO_TXN]
)
def test_nothing_is_lost_and_nothing_is_repeated_if_a_request_comes_late(worker, api, place):
    done = worker.run(LateOnce(of(worker, api), place))
    assert worker.written() == done


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_lost_and_nothing_is_repeated_if_an_abort_comes_late(worker, place):
    plan = LateOnce(of(worker, Api.END_TXN, commits=False), place, skip=0)
    done = worker.run(plan, aborted=[bytes(TOO_LARGE)])
    assert worker.written() == done


def test_many_resets_with_what_was_on_its_way_delivered_at_any_time_change_nothing(
    bootstrap_servers, proxy, application_id, rng: random.Random
):
    plan = RandomResets(rng, share=0.2, most=RESETS)

    def write_meanwhile(number):
        worker = Worker(bootstrap_servers, proxy, f"{application_id}-{number}")
        with closing(worker):
            proxy.plan = plan
            wait_until(lambda: worker.commit() or plan.resets >= RESETS, 60)
            worker.commit()
            worker.restart()
            return worker.position, worker.written()

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        outcomes = list(pool.map(write_meanwhile, range(SIDE_BY_SIDE)))
    assert [written for _, written in outcomes] == [list(range(position)) for position, _ in outcomes]
    assert plan.resets == RESETS


def test_if_doubt_were_missed_a_worker_would_not_go_on_past_what_is_missing(own_worker):
    own_worker.open_producer = unwatched
    own_worker.restart()
    with pytest.raises(KafkaSetupError, match=r"results are missing: group .* has committed the offsets"):
        own_worker.run(LateOnce(of(own_worker, Api.END_TXN), Api.ADD_PARTITIONS_TO_TXN))
    assert max(own_worker.written()) < own_worker.position + RECORDS
