"""What a topic takes, as its properties say, and what the text of a refusal says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallaroo.errors import RecordError
from wallaroo.task.limits import RecordLimits, TopicLimits, limits_of

NOW, HOUR = 1_796_000_000_000, 3_600_000
ANY = 2**63 - 1


def limits(**known):
    return RecordLimits(10_000, {"out": TopicLimits(**known)}, lambda: NOW)


def at(timestamp_ms, key=b"k"):
    return ("out", b"v", key, -1, None, None, timestamp_ms)


def test_the_properties_of_a_topic_say_what_it_takes():
    properties = {
        "max.message.bytes": "2000",
        "segment.bytes": "1048576",
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": "10",
        "message.timestamp.after.max.ms": "20",
        "cleanup.policy": "compact,delete",
        "compression.type": "gzip",
    }
    assert limits_of(properties) == TopicLimits(2_000, 10, 20, needs_key=True, compresses=True)


def test_a_segment_may_be_what_limits_a_record():
    found = limits_of({"max.message.bytes": "10485760", "segment.bytes": "1048576"})
    assert (found.max_bytes, found.size_property) == (1_048_576, "segment.bytes")


def test_a_topic_whose_broker_gives_the_times_takes_every_time():
    properties = {"message.timestamp.type": "LogAppendTime", "message.timestamp.after.max.ms": "20"}
    assert limits_of(properties).after_ms == ANY


def test_before_kafka_3_6_one_limit_counts_for_both():
    found = limits_of({"message.timestamp.difference.max.ms": "50"})
    assert (found.before_ms, found.after_ms) == (50, 50)


def test_of_a_topic_that_may_not_be_asked_only_kafkas_own_size_is_taken_for_granted():
    assert limits_of({}) == TopicLimits(1_048_588, ANY, ANY)


@pytest.mark.parametrize(
    ("known", "output", "text"),
    [
        (
            {"after_ms": HOUR},
            at(NOW + HOUR + 1),
            "3600001 ms ahead of .* raise message.timestamp.after.max.ms",
        ),
        (
            {"before_ms": HOUR},
            at(NOW - HOUR - 1),
            "3600001 ms behind .* raise message.timestamp.before.max.ms",
        ),
        ({"needs_key": True}, at(NOW, None), "without a key .* set cleanup.policy=delete"),
        ({"compresses": True}, at(-5), "none before 1970: .* compression.type=producer"),
    ],
)
def test_what_a_topic_refuses_is_said_with_what_would_change_it(known, output, text):
    with pytest.raises(RecordError, match=text):
        limits(**known).check(output)


@pytest.mark.parametrize(
    ("known", "output"),
    [
        ({"after_ms": HOUR}, at(NOW + HOUR)),
        ({"before_ms": HOUR}, at(NOW - HOUR)),
        ({"before_ms": HOUR}, at(0)),
        ({"before_ms": HOUR}, at(-1)),
        ({"needs_key": True}, at(NOW, b"")),
        ({"compresses": True}, at(-1)),
        ({}, at(-5)),
    ],
)
def test_what_a_topic_takes_is_let_through(known, output):
    limits(**known).check(output)


@given(st.integers(-(10**9), 10**9).filter(bool), st.integers(0, 10**6))
def test_what_is_further_from_the_present_than_what_was_refused_is_refused_too(distance_ms, more_ms):
    learned = RecordLimits(10_000, {}, lambda: NOW).after_refused_times([at(NOW + distance_ms)])
    further = distance_ms + more_ms if distance_ms > 0 else distance_ms - more_ms
    assert learned.refusal(at(NOW + further)) is not None
    assert learned.refusal(at(NOW + distance_ms // 2 if abs(distance_ms) > 1 else NOW)) is None


def test_what_gets_the_present_as_its_time_teaches_nothing():
    known = limits()
    assert known.after_refused_times([("out", b"v", b"k", 0)]) == known
