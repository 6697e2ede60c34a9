"""An outage of Kafka is one line at its begin and one at its end, and a reason of /readyz in between."""

import pytest

from wallaroo.kafka.connections import Trouble
from wallaroo.service.outage import Outages, Seen

AWAY = Trouble("kafka:9092", "Connect failed: Connection refused", "see bootstrap_servers", 2.0)
REFUSED = Trouble("kafka:9092", "SASL authentication error", "check sasl.password", 0.2, is_refusal=True)
QUIET = Seen(0.0, {})


@pytest.fixture
def outages():
    return Outages("kafka:9092,kafka:9093")


@pytest.fixture
def names(outages):
    """A function from what is seen in one second after the other to the names of the events."""

    def told(*seconds):
        events = [outages.update(seen, float(at), at * 1000) for at, seen in enumerate(seconds)]
        return [event.name for several in events for event in several]

    return told


def silent(seconds, **troubles):
    return Seen(float(seconds), troubles)


def test_as_long_as_the_cluster_answers_nothing_is_said(outages, names):
    assert names(QUIET, silent(1), QUIET) == []
    assert outages.reasons == ()


def test_an_outage_is_said_once_at_its_begin_and_once_at_its_end(names):
    away = [silent(second, worker=[AWAY]) for second in range(60)]
    assert names(*away, *[QUIET] * 5) == ["Kafka cannot be reached", "Kafka can be reached again"]


def test_an_outage_is_a_reason_not_to_be_ready_with_brokers_cause_and_time(outages):
    outages.update(silent(3, worker=[AWAY]), 10.0, 1_770_000_010_000)
    (reason,) = outages.reasons
    assert reason.startswith("Kafka cannot be reached since 2026-02-02T02:40:07+00:00 at kafka:9092: ")
    assert "Connection refused; see bootstrap_servers" in reason


def test_a_cluster_that_is_silent_and_nobody_knows_why_is_named_as_it_was_set(outages):
    outages.update(silent(3), 10.0, 10_000)
    assert "at kafka:9092,kafka:9093: no answer" in outages.reasons[0]


def test_refused_credentials_of_a_worker_are_said_at_once_although_the_cluster_answers(outages):
    (event,) = outages.update(Seen(0.0, {"worker 1": [REFUSED]}), 10.0, 10_000)
    assert event.name == "a connection to Kafka is refused"
    assert event.fields["by"] == "worker 1"
    assert outages.reasons[0].startswith("Kafka cannot be used by worker 1 since ")
    assert "check sasl.password" in outages.reasons[0]


def test_an_outage_that_turns_out_to_be_a_wrong_password_says_so(names):
    away, refused = silent(9, worker=[AWAY]), silent(9, worker=[REFUSED])
    assert names(away, away, refused, refused) == [
        "Kafka cannot be reached",
        "a connection to Kafka is refused",
    ]


def test_an_outage_that_ends_for_a_moment_goes_on(names):
    away = silent(5, worker=[AWAY])
    assert names(away, QUIET, away, QUIET, away) == ["Kafka cannot be reached"]


def test_one_broker_of_several_is_said_too_and_does_not_count_against_readiness(outages, names):
    lasting = Seen(0.0, {"worker 0": [Trouble("kafka:9093", "Connect failed", "see", 4.0)]})
    assert names(lasting, lasting, QUIET, QUIET, QUIET) == [
        "a broker cannot be reached",
        "a broker can be reached again",
    ]
    assert outages.reasons == ()


def test_a_broker_that_restarts_quickly_is_not_worth_a_line(names):
    assert names(Seen(0.0, {"worker 0": [AWAY]}), QUIET, QUIET) == []


LASTING = Trouble("kafka:9092", "Connect failed: Connection refused", "see bootstrap_servers", 12.0)


def test_a_client_that_comes_back_later_than_the_others_is_not_another_outage(names):
    away = [silent(3 + second, worker=[LASTING]) for second in range(10)]
    late = [silent(0, worker=[LASTING])] * 5
    assert names(*away, *late, *[QUIET] * 9) == ["Kafka cannot be reached", "Kafka can be reached again"]


def test_a_broker_that_stays_away_after_an_outage_is_said(names):
    away = [silent(3 + second, worker=[LASTING]) for second in range(10)]
    assert names(*away, *[silent(0, worker=[LASTING])] * 20) == [
        "Kafka cannot be reached",
        "Kafka can be reached again",
        "a broker cannot be reached",
    ]
