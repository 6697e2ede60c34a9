"""A transaction: in which order Kafka is asked, and how often."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.unit.engine.fake_producers import turns_of
from wallaroo.engine.hole import MissingResultsError
from wallaroo.engine.transaction import COMMITTED, Commit, commit_offsets, exactly_once, no_probe
from wallaroo.errors import CommitError, KafkaSetupError
from wallaroo.record import Batch, Partition

BATCH = Batch(Partition("in", 1), 7, 1, 0, [("out", b"value", b"key")], [], {}, {})


class FakeProducer:
    """Notes what it is asked for; `unsent` is what its flushes leave, one after the other."""

    def __init__(self, unsent):
        self.calls = []
        self._unsent = unsent

    def begin_transaction(self):
        self.calls.append("begin")

    def send_offsets_to_transaction(self, offsets, group):
        self.calls.append(("offsets", [(tp.topic, tp.partition, tp.offset) for tp in offsets], group))

    def produce(self, topic, value, key):
        self.calls.append(("produce", topic))

    def flush(self, _seconds):
        self.calls.append("flush")
        return self._unsent.pop(0)

    def commit_transaction(self):
        self.calls.append("commit")

    def init_transactions(self, _seconds):
        pass

    def poll(self, _seconds):
        pass


class FencedWhileItAborts(FakeProducer):
    """Whose transaction has been given up by the broker, as it learns only when it aborts."""

    def commit_transaction(self):
        raise KafkaException(KafkaError(KafkaError._STATE, "not now"))

    def abort_transaction(self, _seconds):
        raise KafkaException(KafkaError(KafkaError._FENCED, "somebody else is me", True))


def calls(unsent):
    producer = FakeProducer(unsent)
    write = exactly_once(turns_of(producer), no_probe, None)
    assert write(Commit([BATCH], "group")) == COMMITTED
    return producer.calls


OFFSETS = ("offsets", [("in", 1, 7)], "group")


def test_the_offsets_go_before_the_records():
    assert calls([0]) == ["begin", OFFSETS, ("produce", "out"), "flush", "commit"]


def test_the_offsets_are_sent_again_until_all_records_are_there():
    assert calls([1, 1, 0])[3:] == ["flush", OFFSETS, "flush", OFFSETS, "flush", "commit"]


def test_a_producer_that_cannot_abort_says_that_it_cannot_go_on():
    write = exactly_once(turns_of(FencedWhileItAborts([0])), no_probe, None)
    with pytest.raises(CommitError, match="cannot go on: somebody else is me"):
        write(Commit([BATCH], "group"))


class Fenced(FakeProducer):
    """Whose transaction was ended by the broker, as it was open for too long."""

    def commit_transaction(self):
        raise KafkaException(KafkaError(KafkaError._FENCED, "fenced", True))


def test_a_producer_that_is_fenced_says_what_that_may_come_from():
    write = exactly_once(turns_of(Fenced([0])), no_probe, None)
    with pytest.raises(
        CommitError, match=r"cannot go on: fenced; .* open for longer than transaction_timeout_ms"
    ):
        write(Commit([BATCH], "group"))


def test_producers_take_turns():
    first, second = FakeProducer([0, 0]), FakeProducer([0])
    write = exactly_once(turns_of(first, second), no_probe, None)
    for _ in range(3):
        write(Commit([BATCH], "group"))
    assert (first.calls.count("commit"), second.calls.count("commit")) == (2, 1)


class EndedByAnother(FakeProducer):
    """Whose transaction was ended by a request that came late."""

    def commit_transaction(self):
        raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "not now", True))


def test_offsets_that_were_committed_without_their_results_are_not_passed_over():
    hole = MissingResultsError("results are missing", [])
    write = exactly_once(turns_of(EndedByAnother([0])), no_probe, None, lambda _commit: hole)
    with pytest.raises(MissingResultsError, match="results are missing"):
        write(Commit([BATCH], "group"))


def test_a_transaction_that_was_ended_without_its_offsets_may_be_repeated():
    write = exactly_once(turns_of(EndedByAnother([0])), no_probe, None, lambda _commit: None)
    with pytest.raises(CommitError, match="cannot go on"):
        write(Commit([BATCH], "group"))


class Refusing:
    """A consumer whose commits fail with one error."""

    def __init__(self, code):
        self._error = KafkaError(code, "Broker: no")

    def commit(self, offsets, asynchronous):
        raise KafkaException(self._error)


def test_at_least_once_a_commit_that_fails_for_a_moment_is_repeated():
    result = commit_offsets(Refusing(KafkaError.REBALANCE_IN_PROGRESS), no_probe)(Commit([], None))
    assert not result.committed


def test_at_least_once_offsets_that_the_brokers_settings_refuse_end_the_service():
    commit = commit_offsets(Refusing(KafkaError.OFFSET_METADATA_TOO_LARGE), no_probe)
    with pytest.raises(KafkaSetupError, match=r"set offset\.metadata\.max\.bytes of the brokers"):
        commit(Commit([], None))
