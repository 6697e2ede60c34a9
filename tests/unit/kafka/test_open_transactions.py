"""When a transaction that does not end is worth a word, and what the word is."""

import pytest
from confluent_kafka import KafkaError, TopicPartition

from wallaroo.clock import ManualClock
from wallaroo.kafka.open_transactions import (
    OpenTransactions,
    UnstableOffsets,
    group_partition,
    java_hash,
    stalled_text,
    unstable_text,
)
from wallaroo.settings import Settings

NOON_MS = 1_700_049_600_000
PLACE = ("in", 3)


@pytest.fixture
def clock():
    return ManualClock(NOON_MS)


@pytest.fixture
def watch(clock):
    return OpenTransactions("kafka:9092", clock)


def test_a_transaction_that_is_open_for_a_minute_is_named(watch, clock):
    watch.update([(PLACE, 7, 9)])
    clock.advance(60_000)
    watch.update([(PLACE, 7, 12)])
    assert watch.obstacle.startswith("in[3] cannot be read beyond offset 7 since 2023-11-15T12:00:00+00:00: ")
    assert "--bootstrap-server kafka:9092 describe-producers --topic in --partition 3" in watch.obstacle
    assert "abort --topic in --partition 3 --start-offset 7" in watch.obstacle


def test_a_transaction_that_is_open_for_less_is_not(watch, clock):
    watch.update([(PLACE, 7, 9)])
    clock.advance(59_999)
    watch.update([(PLACE, 7, 9)])
    assert watch.obstacle == ""


def test_transactions_that_follow_one_another_are_not(watch, clock):
    watch.update([(PLACE, 7, 9)])
    clock.advance(59_000)
    watch.update([(PLACE, 9, 11)])
    clock.advance(59_000)
    watch.update([(PLACE, 9, 11)])
    assert watch.obstacle == ""


def test_the_time_before_a_transaction_began_does_not_count(watch, clock):
    watch.update([(PLACE, 7, 7)])
    clock.advance(3_600_000)
    watch.update([(PLACE, 7, 9)])
    assert watch.obstacle == ""


def test_a_partition_that_is_read_on_is_no_longer_named(watch, clock):
    watch.update([(PLACE, 7, 9)])
    clock.advance(60_000)
    watch.update([(PLACE, 7, 9)])
    watch.update([])
    assert watch.obstacle == ""


def test_of_several_partitions_the_first_is_named_and_the_others_are_counted(watch, clock):
    stops = [(("in", 1), 5, 6), (("in", 0), 7, 9), (("in", 2), 1, 9)]
    watch.update(stops)
    clock.advance(60_000)
    watch.update(stops)
    assert watch.obstacle.startswith("in[0] ")
    assert watch.obstacle.endswith("; and so do 2 other partitions")


def test_the_log_is_told_once_in_half_a_minute_and_at_the_end(watch, clock, caplog):
    caplog.set_level("INFO")
    watch.update([(PLACE, 7, 9)])
    for seconds in (60, 10, 19, 1, 29):
        clock.advance(seconds * 1000)
        watch.update([(PLACE, 7, 9)])
    watch.update([])
    assert [record.message for record in caplog.records] == [
        "waiting for a transaction",
        "waiting for a transaction",
        "waits no more",
    ]


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("gg", 3296), ("polygenelubricants", 0), ("é", 233)])
def test_groups_are_placed_by_the_hash_of_java(text, expected):
    assert java_hash(text) == expected


def test_without_a_count_the_partition_of_a_group_is_not_guessed():
    assert group_partition("gg", 0) is None
    assert group_partition("gg", 50) == 46


def test_unstable_offsets_are_named_with_group_partitions_and_commands():
    text = unstable_text("app-totals", [("in", 0), ("in", 3)], NOON_MS, 46, "kafka:9092")
    assert text.startswith(
        "the group app-totals has been waiting since 2023-11-15T12:00:00+00:00 for its offsets"
    )
    assert " of in[0], in[3]: " in text
    assert "describe-producers --topic __consumer_offsets --partition 46" in text


def test_what_is_not_known_stays_a_placeholder():
    text = unstable_text("app-totals", [PLACE], NOON_MS, None, "kafka:9092")
    assert "--topic __consumer_offsets --partition PARTITION" in text


def test_what_an_abort_costs_is_said_beside_it():
    assert "which discards its records" in stalled_text(PLACE, 7, NOON_MS, "kafka:9092")


def test_a_failure_of_another_kind_asks_nobody(clock):
    unstable = UnstableOffsets("app-totals", Settings(bootstrap_servers="127.0.0.1:1"), clock)
    unstable.failed(KafkaError(KafkaError.NOT_COORDINATOR), None, [TopicPartition("in", 0)])
    assert unstable.obstacle == ""
