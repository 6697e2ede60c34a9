"""Restoring begins where the last owner has really ended, even if that is still being decided."""

import threading

import pytest
from confluent_kafka import TopicPartition

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from tests.kafka.test_broker import make_consumer, make_producer
from wallaroo.engine.restore import Restorer
from wallaroo.engine.transaction import no_probe
from wallaroo.kafka.clients import admin_client, restore_consumer
from wallaroo.kafka.group_member import Assigned, starting_offsets
from wallaroo.settings import Settings
from wallaroo.state.memory import MemoryStore


class Restoring:
    """The restoration of partition 1 of a changelog, under way."""

    def __init__(self, servers, changelog):
        settings = Settings(bootstrap_servers=servers)
        self.store = MemoryStore("total", int, None)
        self.done = []
        self._restorer = Restorer(
            {"total": changelog},
            lambda: {"total": self.store},
            lambda: restore_consumer(settings, changelog),
            lambda _restoration: None,
            no_probe,
        )
        self._restorer.start([Assigned("in", 1, 0)], admin_client(settings, changelog))
        self.restoration = self._restorer.restoring[1]

    @property
    def ended(self):
        self.done += self._restorer.take_restored()
        return self.done == [self.restoration]


@pytest.fixture
def changelog(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id, 2, {"cleanup.policy": "compact"})
    produce(
        bootstrap_servers,
        application_id,
        [Sent("rex", "1J1", 1), Sent("tom", "1J2", 1), Sent("tom", None, 1)],
    )
    return application_id


@pytest.mark.parametrize(
    ("end", "rex"),
    [("commit_transaction", b"1J9"), ("abort_transaction", b"1J1")],
    ids=["committed", "aborted"],
)
def test_a_restore_waits_for_the_end_of_an_open_transaction(bootstrap_servers, changelog, end, rex):
    last_owner = make_producer(bootstrap_servers, changelog)
    last_owner.begin_transaction()
    last_owner.produce(changelog, b"1J9", b"rex", 1)
    last_owner.flush()
    restoring = Restoring(bootstrap_servers, changelog)
    wait_until(lambda: dict(restoring.store.items()) == {b"rex": b"1J1"})
    assert not restoring.ended
    getattr(last_owner, end)()
    wait_until(lambda: restoring.ended)
    assert dict(restoring.store.items()) == {b"rex": rex}


def test_a_restore_ends_behind_the_marks_of_transactions(bootstrap_servers, changelog):
    owner = make_producer(bootstrap_servers, changelog)
    for end in (owner.commit_transaction, owner.abort_transaction):
        owner.begin_transaction()
        owner.produce(changelog, b"1J5", b"ann", 1)
        owner.flush()
        end()
    restoring = Restoring(bootstrap_servers, changelog)
    wait_until(lambda: restoring.ended)
    assert dict(restoring.store.items()) == {b"rex": b"1J1", b"ann": b"1J5"}


def test_a_restore_that_is_cancelled_says_nothing(bootstrap_servers, changelog):
    last_owner = make_producer(bootstrap_servers, changelog)
    last_owner.begin_transaction()
    last_owner.produce(changelog, b"1J9", b"rex", 1)
    last_owner.flush()
    restoring = Restoring(bootstrap_servers, changelog)
    wait_until(lambda: len(restoring.store))
    restoring.restoration.cancelled.set()
    wait_until(lambda: not any(thread.name == "restore" for thread in threading.enumerate()))
    assert not restoring.ended


def test_offsets_in_an_open_transaction_are_waited_for(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id, 2)
    produce(bootstrap_servers, application_id, [Sent(None, b"1J%d" % n, 1) for n in range(5)])
    consumer = make_consumer(bootstrap_servers, application_id, "classic")
    consumer.subscribe([application_id])
    wait_until(lambda: consumer.consume(1, 0.1) and consumer.assignment())
    last_owner = make_producer(bootstrap_servers, application_id)
    last_owner.begin_transaction()
    position = [TopicPartition(application_id, 1, 3)]
    last_owner.send_offsets_to_transaction(position, consumer.consumer_group_metadata())
    starts = []
    asking = threading.Thread(target=lambda: starts.extend(starting_offsets(consumer, position, "earliest")))
    asking.start()
    asking.join(0.5)
    assert not starts
    last_owner.commit_transaction()
    asking.join()
    consumer.close()
    assert [start.offset for start in starts] == [3]
