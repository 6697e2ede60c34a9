"""Producers take turns, and one that is in doubt is replaced while another one writes."""

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.unit.engine.fake_producers import FakeClient
from wallaroo.errors import CommitError
from wallaroo.kafka.producers import ProducerTurns

SECONDS = 10


class Ids:
    """Two transactional ids and every client that was opened for them; `allowed` is called when one opens."""

    def __init__(self):
        self.clients = {"a": [], "b": []}
        self.allowed = lambda: None
        self.turns = ProducerTurns([lambda: self.open("a"), lambda: self.open("b")])

    def open(self, name):
        client = FakeClient(name, self.allowed)
        self.clients[name].append(client)
        return client.opened

    def take(self):
        """Which client writes next: its id, and the how manieth of it."""
        client = self.turns.take().client
        return client.name, self.clients[client.name].index(client)

    def replaced(self, name):
        """Wait until the first client of this id has been replaced: it is closed last."""
        assert self.clients[name][0].closed.wait(SECONDS)


@pytest.fixture
def ids():
    return Ids()


def test_producers_take_turns(ids):
    assert [ids.take() for _ in range(4)] == [("a", 0), ("b", 0), ("a", 0), ("b", 0)]


def test_a_producer_whose_connection_broke_is_replaced_before_it_writes_again(ids):
    ids.take()
    ids.clients["a"][0].breaks()
    assert ids.take() == ("b", 0)
    ids.replaced("a")
    assert ids.take() == ("a", 1)


def test_a_connection_that_breaks_while_nothing_is_written_is_seen_as_well(ids):
    ids.clients["a"][0].breaks()
    assert ids.take() == ("b", 0)


def test_the_other_producer_goes_on_writing_until_the_new_one_is_there(ids):
    go = threading.Event()
    ids.allowed = lambda: go.wait(SECONDS)
    ids.clients["a"][0].breaks()
    assert [ids.take() for _ in range(3)] == [("b", 0)] * 3
    go.set()
    ids.replaced("a")
    assert ids.take() == ("a", 1)


def test_if_both_are_in_doubt_the_first_new_one_is_waited_for(ids):
    ids.clients["a"][0].breaks()
    ids.clients["b"][0].breaks()
    assert ids.take()[1] == 1


def test_a_new_producer_whose_connection_breaks_at_once_is_replaced_in_its_turn(ids):
    ids.clients["a"][0].breaks()
    ids.take()
    ids.replaced("a")
    ids.clients["a"][1].breaks()
    ids.clients["b"][0].breaks()
    assert ids.take() in (("a", 2), ("b", 1))


def test_a_producer_whose_transaction_was_aborted_is_replaced(ids):
    ids.turns.take().aborted = True
    ids.take()
    ids.replaced("a")
    assert ids.take() == ("a", 1)


def test_a_producer_that_cannot_be_replaced_ends_the_worker(ids):
    def refuse():
        raise KafkaException(KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "not you"))

    ids.allowed = refuse
    ids.clients["a"][0].breaks()
    ids.clients["b"][0].breaks()
    with pytest.raises(CommitError, match=r"cannot be replaced: .*not you"):
        ids.take()
