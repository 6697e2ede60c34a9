"""What the Kafka client says of itself, and what of it is let through."""

import logging

import pytest

from wallaroo.clock import ManualClock
from wallaroo.kafka.errors import Repetitions

KNOWN = [
    "TXNERR [rdkafka#producer-1] [thrd:main]: Current transaction failed in state BeginCommit",
    "CONFWARN [rdkafka#producer-2] [thrd:app]: Configuration property enable.gapless.guarantee is "
    "experimental: When set to `true`, any error that could result in a gap will raise a fatal error",
    "FATAL [rdkafka#producer-2] [thrd:127.0.0.1:9092/1]: Fatal error: Local: Gap-less ordering would not be "
    "guaranteed if proceeding: ProduceRequest for far [0] with 1 message(s) failed: Broker: Message size too "
    "large (broker 1 PID{Id:4,Epoch:0}, base seq 20): unable to satisfy gap-less guarantee",
]


def line(text):
    return logging.LogRecord("kafka", logging.WARNING, "", 0, text, None, None)


@pytest.mark.parametrize("text", KNOWN)
def test_what_we_say_ourselves_is_not_said_twice(text):
    assert not Repetitions(ManualClock()).filter(line(text))


def test_another_fatal_error_is_let_through():
    assert Repetitions(ManualClock()).filter(line("FATAL [rdkafka#producer-2]: Fatal error: fenced"))


def test_what_differs_in_its_numbers_alone_is_said_once_in_half_a_minute():
    clock = ManualClock()
    repetitions = Repetitions(clock)
    passed = []
    for second in range(60):
        passed.append(repetitions.filter(line(f"FAIL [thrd:b/{second}]: Connect failed (after {second}ms)")))
        clock.advance(1_000)
    assert [second for second, said in enumerate(passed) if said] == [0, 30]
