"""Whatever keeps commits from succeeding for ten seconds is named, with its topics."""

import logging
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import ManualClock
from wallaroo.engine.commit_watch import CommitWatch, topics_of, troubles
from wallaroo.engine.transaction import Commit
from wallaroo.observability.health import Uncommitted
from wallaroo.record import Batch, Changes, Partition

GONE = KafkaError.UNKNOWN_TOPIC_OR_PART


def partition(number, leader=1, replicas=3, in_sync=3):
    node = None if leader is None else SimpleNamespace(id=leader)
    return SimpleNamespace(id=number, leader=node, replicas=range(replicas), isr=range(in_sync))


def answer(found):
    made = Future()
    if isinstance(found, int):
        made.set_exception(KafkaException(KafkaError(found)))
    else:
        made.set_result(SimpleNamespace(partitions=found))
    return made


class Watched:
    """A watch whose cluster answers what is in `topics`; every topic that is not is well."""

    def __init__(self, **topics):
        self.topics, self.clock = topics, ManualClock()
        self.watch = CommitWatch("totals", self.clock)
        self.watch.describe = lambda asked: {t: answer(self.topics.get(t, [partition(0)])) for t in asked}

    def after(self, seconds):
        """Ask every fifth of a second, as the supervisor does; what was said last."""
        said = ""
        for _ in range(round(seconds * 5)):
            self.clock.advance(200)
            said = self.watch.obstacle()
        return said


@pytest.fixture
def begun():
    """A watch of a commit that has begun and writes two topics, of which one is gone."""
    made = Watched(out=GONE)
    made.watch.begun(lambda: ["log", "out"])
    return made


def test_a_commit_that_takes_a_few_seconds_is_no_obstacle(begun):
    assert begun.after(9) == ""


def test_after_ten_seconds_the_topic_that_is_gone_is_named(begun):
    said = begun.after(11)
    assert "nothing has been committed since 1970-01-01T00:00:00+00:00" in said
    assert "written to log, out: the topic out is gone: create it again" in said


def test_it_is_a_warning_in_the_log_every_half_a_minute_and_one_line_when_it_is_over(begun, caplog):
    caplog.set_level(logging.INFO)
    begun.after(55)
    begun.watch.committed()
    begun.after(5)
    assert [r.getMessage() for r in caplog.records] == [
        "commits do not succeed",
        "commits do not succeed",
        "commits succeed again",
    ]


def test_a_commit_that_succeeds_ends_it(begun):
    begun.after(11)
    begun.watch.committed()
    assert begun.after(1) == ""
    begun.watch.begun(lambda: ["out"])
    assert begun.after(9) == ""


def test_a_commit_that_is_aborted_and_tried_again_has_not_succeeded(begun):
    begun.topics.clear()
    begun.after(6)
    begun.watch.aborted("1 message failed")
    begun.watch.begun(lambda: ["out"])
    assert begun.after(5).endswith("written to out: the last commit was aborted: 1 message failed")


def test_a_cluster_that_does_not_answer_keeps_nothing_from_being_said(begun):
    begun.watch.describe = lambda asked: {topic: Future() for topic in asked}
    assert "written to log, out: Kafka does not answer" in begun.after(11)


def test_what_a_dead_worker_could_not_commit_is_said_by_the_next_one():
    first, second = Watched(), Watched()
    first.watch.begun(lambda: ["out"])
    first.after(6)
    first.watch.aborted("fenced")
    second.clock.advance(8_000)
    second.watch.resume(first.watch.uncommitted)
    assert first.watch.uncommitted == Uncommitted(0, ("out",), "fenced")
    assert "written to out: the last commit was aborted: fenced" in second.after(3)


def test_a_commit_that_has_just_begun_is_nothing_to_go_on_from(begun):
    begun.clock.advance(500)
    assert begun.watch.uncommitted is None


def test_partitions_that_cannot_be_written_are_named_with_what_is_wrong():
    found = answer([partition(0), partition(1, leader=None), partition(2, in_sync=1)])
    assert list(troubles("out", found)) == [
        "out[1] has no leader: start the brokers that hold it",
        "out[2] has only 1 of 3 replicas in sync",
    ]


@pytest.mark.parametrize(
    ("topic", "code", "said"),
    [
        ("out", KafkaError._TIMED_OUT, ["the cluster says nothing of the"]),
        ("out", KafkaError.TOPIC_AUTHORIZATION_FAILED, []),
        ("__consumer_offsets", GONE, []),
    ],
)
def test_what_a_client_may_not_know_is_not_said(topic, code, said):
    assert [trouble.partition(" topic out")[0] for trouble in troubles(topic, answer(code))] == said


def test_the_topics_of_a_commit_are_those_of_its_outputs_and_its_changelogs():
    outputs, changes = [("out", b"", None, 0), ("dlq", b"", None, 0)], [Changes("sum", "sum-log", {})]
    batch = Batch(Partition("in", 0), 1, 1, 0, outputs, changes, {}, {})
    assert topics_of(Commit((batch, batch), None)) == ["dlq", "out", "sum-log"]
