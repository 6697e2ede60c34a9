"""Idle spells on a real broker: nothing is late after them, and their windows close soon."""

import statistics
import time

import pytest
from confluent_kafka import Producer

from tests.kafka.cluster import produce, wait_until
from tests.kafka.test_windows import KEYS, as_sent, service, today  # noqa: F401 - a fixture
from tests.properties.window_model import Message

pytestmark = pytest.mark.slow
WINDOW = ("--range-ms=1000", "--slide-ms=1000", "--delay-ms=1000")
BURST = 24_000


def write_at_once(servers, topic, messages):
    """All in one transaction, half of it in each of two partitions: neither is there before the other."""
    producer = Producer({"bootstrap.servers": servers, "transactional.id": topic, "linger.ms": 5})
    producer.init_transactions(30)
    producer.begin_transaction()
    for message in messages:
        sent = as_sent(message, message.value % 2)
        producer.produce(topic, sent.value, sent.key, sent.partition, timestamp=sent.timestamp_ms)
        producer.poll(0)
    producer.commit_transaction(30)


def counted(service):  # noqa: F811
    return sum(len(values) for windows in service.results().values() for _, values in windows)


@pytest.mark.parametrize("workers", [1, 2])
def test_after_an_idle_spell_a_burst_over_two_partitions_is_counted(service, workers):  # noqa: F811
    began = today()
    service.start(*WINDOW, workers=workers)
    service.send([Message(KEYS[n], n, began) for n in (0, 1)], lambda message: message.value)
    wait_until(lambda: counted(service) == 2, 60)
    burst = [Message(KEYS[n % 12], n, began + 60_000 + n) for n in range(BURST)]
    write_at_once(service.servers, service.in_topic, burst)
    wait_until(lambda: counted(service) >= 2 + BURST, 60)
    assert "wallaroo_late_records_total{" not in service.process.get("/metrics")[1]
    assert service.process.stop() == 0
    assert counted(service) == 2 + BURST


def test_an_idle_window_closes_soon_after_its_range_and_delay(service):  # noqa: F811
    service.start("--range-ms=50", "--slide-ms=50")
    took = [seconds_to_close(service, number) for number in range(7)]
    # On a machine that does nothing else the median is 0.2 seconds: 0.05 for the window, one hop.
    assert statistics.median(took) < 1


def seconds_to_close(service, number):  # noqa: F811
    began = time.monotonic()
    now = int(time.time() * 1000)
    both = [as_sent(Message(KEYS[0], partition, now), partition) for partition in (0, 1)]
    produce(service.servers, service.in_topic, both)
    wait_until(lambda: counted(service) == 2 * (number + 1), 30)
    return time.monotonic() - began
