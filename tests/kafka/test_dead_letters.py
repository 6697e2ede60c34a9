"""Records that fail: where they go, what becomes of the others, and what the other policies do."""

import re

import pytest

from tests.kafka.cluster import Sent, produce, read_topic, wait_until
from tests.kafka.model import alerts_in, transaction, transactions

PREFIX = "__streams.errors."


def source_in(message):
    """Topic, partition and offset of the source of a dead letter."""
    return tuple(headers_of(message)[f"{PREFIX}source.{name}"] for name in ("topic", "partition", "offset"))


def headers_of(message):
    return {name: value.decode() for name, value in message.headers() if name.startswith(PREFIX)}


def test_a_dead_letter_is_the_record_as_it_came_and_why_it_failed(scenario):
    scenario.send([Sent("rex", b"not json", 2, 1_234_567, (("trace", b"abc"), ("trace", b"def")))])
    scenario.start()
    scenario.finish()
    [letter] = scenario.dead()
    assert (letter.key(), letter.value()) == (b"rex", b"not json")
    assert letter.timestamp()[1] > 1_234_567
    assert [header for header in letter.headers() if header[0] == "trace"] == [
        ("trace", b"abc"),
        ("trace", b"def"),
    ]
    reasons = headers_of(letter)
    assert reasons.pop(PREFIX + "exception").endswith("ValidationError")
    assert "JSON" in reasons.pop(PREFIX + "message")
    assert "Traceback" in reasons.pop(PREFIX + "stacktrace")
    assert reasons == {
        PREFIX + "topic": scenario.in_topic,
        PREFIX + "partition": "2",
        PREFIX + "offset": "0",
        PREFIX + "timestamp": "1234567",
        PREFIX + "stage": "transactions",
        PREFIX + "source.topic": scenario.in_topic,
        PREFIX + "source.partition": "2",
        PREFIX + "source.offset": "0",
    }


@pytest.mark.parametrize("arguments", [(), ("--partitioned-by-user",)], ids=["hop", "no-hop"])
def test_user_code_that_raises_costs_only_its_own_record(scenario, rng, arguments):
    scenario.arguments = arguments
    faulty = [transaction(f"faulty-{n % 7}", 3_000) for n in range(40)]
    stream = [*transactions(rng, 6_000), *faulty]
    rng.shuffle(stream)
    scenario.start(workers=2)
    with scenario.feeding(stream, seconds=2):
        pass
    scenario.finish()
    failed = [message for message in scenario.dead() if message.key().startswith(b"faulty")]
    assert {headers_of(message)[PREFIX + "stage"] for message in failed} == {"add up"}
    # Where each first came from is where a record of its user is that fails.
    sent = {
        (m.topic(), str(m.partition()), str(m.offset())): m
        for m in read_topic(scenario.servers, scenario.in_topic)
    }
    sources = [sent.pop(source_in(message)) for message in failed]
    assert all(message.key() in source.value() for message, source in zip(failed, sources, strict=True))


def test_a_poisoned_stream_is_worked_off_quickly(scenario, rng):
    stream = [*transactions(rng, 18_000), *(transaction("faulty", 1) for _ in range(2_000))]
    rng.shuffle(stream)
    scenario.send(stream)
    scenario.start()
    scenario.settle(timeout_seconds=30)
    scenario.finish()


def test_on_error_skip_leaves_failing_records_out(scenario, rng):
    scenario.send([*transactions(rng, 500), transaction("faulty", 3_000)])
    scenario.expected.dead.clear()
    scenario.start(on_error="skip")
    scenario.finish()


def test_on_error_stop_ends_the_service_with_nothing_committed_behind_the_record(scenario):
    deposits = [transaction("rex", 3_000) for _ in range(5)]
    scenario.send([*deposits, transaction("rex", 3_000, key="rex"), Sent("rex", b"not json"), *deposits])
    service = scenario.launch(on_error="stop")
    assert service.wait() == 3
    assert "stage 'transactions' failed" in service.words()
    assert alerts_in(read_topic(scenario.servers, scenario.out_topic)).get("rex", [])[6:] == []
    scenario.start()
    scenario.finish()


def test_what_a_stranger_writes_to_an_internal_topic_ends_the_service_once_and_can_be_put_aside(scenario):
    internal = f"{scenario.application_id}-extract-user-repartition"
    service = scenario.start()
    produce(scenario.servers, internal, [Sent("rex", b"1Pstrange")])
    assert service.wait() == 2
    words = service.words()
    place = re.escape(internal) + r"\[\d\]@\d+"
    assert re.search(rf"{place} of an internal topic cannot be read \(key b'rex'\)", words)
    assert "on_unreadable_state=dead_letter" in words
    assert "worker died" not in words
    assert list(scenario.dead()) == []
    scenario.start(on_unreadable_state="dead_letter")
    wait_until(lambda: len(list(scenario.dead())) == 1)
