"""A transaction that a topic's limit has made fail: its cause is known, and ending it takes no time."""

import time
from functools import partial

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.kafka.cluster import create_topic
from wallaroo.engine.refusals import refusal_of
from wallaroo.engine.transaction import Commit, exactly_once, no_probe
from wallaroo.kafka.clients import task_transactions
from wallaroo.kafka.producers import ProducerTurns
from wallaroo.kafka.retry import retry
from wallaroo.record import Batch, Partition
from wallaroo.settings import Settings
from wallaroo.task.limits import RecordLimits

PARTITIONS = 4
LIMIT = 2_000
LIMITS = RecordLimits(1_000_000, {})
TOO_LARGE = 3 * LIMIT


class Narrow:
    """A topic that takes little, and what writes to it transaction by transaction."""

    def __init__(self, servers, topic):
        create_topic(servers, topic, PARTITIONS, {"max.message.bytes": str(LIMIT)})
        create_topic(servers, f"{topic}-in", 1)
        self._topic = topic
        # As every loop's, its group has a coordinator before the producer asks for it. On a new broker there
        # is none until somebody has asked; the producer would ask three times at once, and then wait.
        consumer = Consumer({"bootstrap.servers": servers, "group.id": topic})
        retry(lambda: consumer.commit(offsets=[TopicPartition(f"{topic}-in", 0, 0)], asynchronous=False))
        self._group = consumer.consumer_group_metadata()
        settings = Settings(bootstrap_servers=servers)
        turns = ProducerTurns([lambda: task_transactions(settings, topic, largest_batch=LIMIT)])
        self._write = exactly_once(
            turns, no_probe, partial(refusal_of, lambda: LIMITS, lambda: lambda _outputs: {})
        )

    def commit(self, rng, *sizes):
        """One transaction, with a record of each size."""
        outputs = [(self._topic, rng.randbytes(size), None, n % PARTITIONS) for n, size in enumerate(sizes)]
        batch = Batch(Partition(f"{self._topic}-in", 0), 1, len(outputs), 0, outputs, [], {}, {})
        return self._write(Commit([batch], self._group))


@pytest.fixture
def narrow(bootstrap_servers, application_id):
    return Narrow(bootstrap_servers, application_id)


def test_a_record_too_large_is_the_cause_though_others_were_still_being_handed_over(narrow, rng):
    result = narrow.commit(rng, TOO_LARGE, *[1_000] * 50_000)
    assert "Message size too large" in result.reason
    assert result.refusal.limits == LIMITS


def test_an_abort_does_not_wait_until_the_broker_gives_the_transaction_up(narrow, rng):
    """With which it would give up the producer.

    The client counts what was refused, so that the next transaction's records seem to come after a gap: they
    are refused too, and return into the client's queue when abort_transaction has just emptied it.
    """
    for _ in range(30):
        assert not narrow.commit(rng, *[10] * PARTITIONS, *[TOO_LARGE] * PARTITIONS).committed
        began = time.monotonic()
        narrow.commit(rng, *[1_000] * 2_000)
        assert time.monotonic() - began < 5
