"""Since when the cluster has not answered."""

from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import ManualClock
from wallaroo.kafka.cluster_watch import ClusterWatch


@pytest.fixture
def clock():
    return ManualClock(100_000)


@pytest.fixture
def asked():
    """The answers that are waited for, in order."""
    return []


@pytest.fixture
def watch(clock, asked):
    def ask():
        asked.append(Future())
        return asked[-1]

    return ClusterWatch(ask, clock)


@pytest.fixture
def look(watch, clock):
    """A function that looks again after some milliseconds."""

    def after(milliseconds):
        clock.advance(milliseconds)
        watch.look()
        return watch.silent_seconds

    return after


def test_a_cluster_that_answers_is_not_silent(look, asked):
    look(0)
    asked[0].set_result("there")
    assert look(900) == 0
    assert len(asked) == 1
    look(200)
    assert len(asked) == 2


def test_silence_is_counted_from_the_first_question_without_an_answer(look, asked):
    look(0)
    assert look(2_000) == 2
    asked[0].set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    assert look(100) == pytest.approx(2.1)
    assert look(1_000) == pytest.approx(3.1)


def test_an_answer_ends_the_silence(look, asked):
    look(0)
    asked[0].set_exception(KafkaException(KafkaError(KafkaError._TRANSPORT)))
    assert look(5_000) == 5
    asked[1].set_result("there")
    assert look(10) == 0


def test_a_refusal_is_an_answer(look, asked):
    look(0)
    asked[0].set_exception(KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED)))
    assert look(500) == 0
