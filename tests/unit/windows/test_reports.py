"""What upstream tasks tell the partitions of a repartition topic, and how often."""

import wallaroo
from tests.properties.window_model import Message
from tests.properties.window_samples import (
    MS,
    Gather,
    GatherAgain,
    Shape,
    behind_a_hop,
    by_key,
    by_name,
    decode,
    finished,
    read,
    send,
    source,
)
from wallaroo.testing import ApplicationDriver
from wallaroo.windows.control import decode_report, is_control
from wallaroo.windows.watermark import NEVER

TOPIC = "app-by-key-repartition"
SHAPE = Shape(range=10, slide=5)


def driver_of(application=None, partitions=None, pace=None):
    return ApplicationDriver(
        application or behind_a_hop(SHAPE.declared()), partitions or {"in": 1, TOPIC: 3}, pace=pace
    )


def reports(driver, topic=TOPIC):
    """(partition, upstream, milliseconds or None, idle) in order."""
    found = []
    for record in driver.records(topic):
        if is_control(record.key, record.value):
            upstream, status = decode_report(record.value)
            at = None if status.watermark == NEVER else status.watermark / MS
            found.append((record.partition, upstream, at, status.idle))
    return found


def messages(*times, key="a"):
    return [Message(key, n, int(time * MS)) for n, time in enumerate(times)]


def to_all(*said):
    return [(partition, *said) for partition in range(3)]


def test_each_partition_is_told_once_in_a_commit():
    driver = driver_of()
    send(driver, messages(1, 2, 3))
    driver.run()
    assert reports(driver) == to_all("in/0", 3, False)
    send(driver, messages(3, 4))
    driver.run()
    assert reports(driver)[3:] == to_all("in/0", 4, False)


def test_nobody_is_told_what_is_known():
    driver = driver_of()
    send(driver, messages(3))
    driver.run()
    send(driver, messages(3, 1))
    driver.run()
    assert reports(driver) == to_all("in/0", 3, False)


def test_a_report_stands_behind_what_it_speaks_of():
    driver = driver_of(partitions={"in": 1, TOPIC: 1})
    send(driver, messages(1, 2, 3))
    driver.run()
    assert [is_control(r.key, r.value) for r in driver.records(TOPIC)] == [False] * 3 + [True]


def test_a_record_out_of_order_by_the_end_of_a_window_is_announced():
    driver = driver_of(partitions={"in": 1, TOPIC: 1})
    send(driver, messages(1, 16, 2, 3, 17))
    driver.run()
    assert [is_control(r.key, r.value) for r in driver.records(TOPIC)] == [
        *(False, False),
        *(True, False, False),
        *(False, True),
    ]
    assert [at for _, _, at, _ in reports(driver)] == [16, 17]


def test_a_record_that_is_out_of_order_by_less_is_not():
    driver = driver_of(partitions={"in": 1, TOPIC: 1})
    send(driver, messages(6, 9, 7, 14, 12))
    driver.run()
    assert len(reports(driver)) == 1


@wallaroo.computation_multi("and a bad one")
def and_a_bad_one(message):
    return [message, None if message[1] else ("bad", 0, 0)]


@wallaroo.key_extractor
def by_good_key(message):
    if message[0] == "bad":
        raise ValueError(message)
    return message[0]


def test_what_was_announced_for_a_record_that_failed_is_announced_again():
    pipeline = source().to(and_a_bad_one).key_by(by_good_key).to(SHAPE.declared())
    topic = "app-by-good-key-repartition"
    driver = driver_of(finished(pipeline), {"in": 1, topic: 1})
    for value, time in ((1, 16), (0, 2), (2, 3)):
        send(driver, [Message("a", value, time * MS)])
    driver.run()
    assert len(driver.dead_letters()) == 1
    assert [is_control(r.key, r.value) for r in driver.records(topic)] == [False, True, False, True]


def test_an_empty_partition_says_at_once_that_it_does_not_count():
    driver = driver_of(partitions={"in": 2, TOPIC: 1})
    driver.run()
    assert reports(driver) == [(0, "in/0", None, True), (0, "in/1", None, True)]


def test_an_idle_partition_follows_the_clock_and_then_is_silent():
    driver = driver_of(partitions={"in": 1, TOPIC: 1})
    send(driver, messages(100))
    driver.run()
    driver.advance(9)
    driver.run()
    assert len(reports(driver)) == 1
    for _ in range(5):
        driver.advance(1_000)
        driver.run()
    assert reports(driver)[1:] == [(0, "in/0", 110, True)]


def test_a_partition_that_wakes_counts_again_behind_its_first_records():
    driver = driver_of(partitions={"in": 1, TOPIC: 1})
    send(driver, messages(100))
    driver.run()
    driver.advance(10)
    driver.run()
    send(driver, messages(200))
    driver.run()
    assert reports(driver) == [
        (0, "in/0", 100, False),
        (0, "in/0", 110, True),
        (0, "in/0", 200, False),
    ]


def test_a_partition_that_wakes_counts_even_if_nobody_has_looked():
    driver = driver_of(partitions={"in": 1, TOPIC: 1})
    send(driver, messages(100))
    driver.run()
    driver.advance(10)
    driver.run()
    send(driver, messages(200))
    driver.step()
    driver.commit()
    assert reports(driver)[-1] == (0, "in/0", 200, False)


def test_what_windows_hold_back_has_not_come_yet():
    first, second = Shape(range=10, slide=10, delay=7), Shape(range=20, slide=20)
    pipeline = source().key_by(by_key).to(first.declared()).key_by(by_name).to(second.declared(GatherAgain))
    driver = driver_of(finished(pipeline), {"in": 1, TOPIC: 1, "app-by-name-repartition": 1})
    send(driver, messages(1, 30))
    driver.run()
    assert reports(driver, "app-by-name-repartition")[-1] == (0, "by-key/0", 23, False)


def test_a_hop_that_leads_to_no_range_windows_carries_no_reports():
    counting = wallaroo.count_windows(2).over(Gather)
    driver = driver_of(finished(source().key_by(by_key).to(counting)))
    send(driver, messages(1, 2))
    driver.run()
    driver.advance(10**6)
    driver.run()
    assert reports(driver) == []
    assert "watermarks" not in driver.describe()


def test_windows_that_are_not_declared_any_more_leave_reports_that_nobody_minds():
    driver = driver_of()
    send(driver, messages(1, 2))
    driver.run()
    without = driver_of(finished(source().key_by(by_key).to(wallaroo.count_windows(2).over(Gather))))
    for record in driver.records(TOPIC):
        output = (TOPIC, record.value, record.key, record.partition, None, None, record.timestamp_ms)
        without._logs.append(output)
    without.run()
    assert read(without) == {"a": [((0, 1), 2)]}


def test_reports_are_exact_to_the_nanosecond():
    pipeline = wallaroo.source(
        "in", wallaroo.KafkaSourceConfig("in", decoder=decode, event_time=lambda made: made[2])
    )
    driver = driver_of(finished(pipeline.key_by(by_key).to(SHAPE.declared())))
    driver.send("in", b"a:1:1999999", "a")
    driver.run()
    assert reports(driver)[0] == (0, "in/0", 1.999999, False)
