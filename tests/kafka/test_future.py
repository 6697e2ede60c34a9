"""Clocks that are wrong, on a real broker: a record a day ahead on a topic that takes any time."""

import json
import re
import time

import pytest

from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.service import ServiceProcess
from tests.kafka.tail import Tail

pytestmark = pytest.mark.slow
DAY, SPAN = 24 * 3_600_000, 4_000
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}
CLOSED_SECONDS = 90


class Service:
    """The window application on topics that take any time."""

    def __init__(self, servers, application_id, folder):
        self.servers = servers
        self.in_topic, self.out_topic = f"{application_id}-in", f"{application_id}-out"
        self.dead_letters = f"{application_id}-dlq"
        create_topic(servers, self.in_topic, 2, ANY_TIME)
        create_topic(servers, self.out_topic, 2, ANY_TIME)
        self.tail = Tail(servers, self.out_topic)
        self.log = folder / "service.log"
        self._arguments = [
            f"--bootstrap-servers={servers}",
            f"--application-id={application_id}",
            f"--in-topic={self.in_topic}",
            f"--out-topic={self.out_topic}",
            f"--topic-config=message.timestamp.after.max.ms={2**63 - 1}",
        ]
        self.process = None

    def start(self, *arguments):
        self.process = ServiceProcess(["tests.kafka.window_app", *self._arguments, *arguments], self.log)
        self.process.wait_ready()

    def stop(self):
        assert self.process.stop() == 0
        self.process.kill_all()

    def send(self, key, *messages, partition=0):
        """Messages as (value, milliseconds)."""
        sent = [Sent(key, json.dumps({"key": key, "value": v}), partition, at) for v, at in messages]
        produce(self.servers, self.in_topic, sent)

    def windows(self, key):
        made = [json.loads(message.value()) for message in self.tail.read()]
        return [one["values"] for one in made if one["key"] == key]

    def letters(self):
        return read_topic(self.servers, self.dead_letters)


@pytest.fixture
def service(bootstrap_servers, application_id, tmp_path):
    made = Service(bootstrap_servers, application_id, tmp_path)
    yield made
    made.tail.close()
    if made.process is not None:
        made.process.kill_all()
        print(f"--- service.log ---\n{made.log.read_text(errors='replace')}")


def begin_of_window():
    """Ten minutes ago, at the begin of a window of four seconds that another overlaps."""
    return (int(time.time() * 1000) - 600_000) // SPAN * SPAN


def test_one_record_a_day_ahead_is_a_dead_letter_and_the_others_are_counted(service):
    at = begin_of_window()
    service.start("--idle-timeout-ms=600000")
    service.send("rex", (1, at), (2, at + DAY), (3, at + 1_000))
    wait_until(service.letters, CLOSED_SECONDS)
    service.stop()
    service.start("--idle-timeout-ms=600000")
    service.send("rex", (4, at + 2_500), (5, at + 60_000))
    wait_until(lambda: len(service.windows("rex")) >= 3, CLOSED_SECONDS)
    service.stop()
    assert service.windows("rex")[:3] == [[1, 3], [1, 3, 4], [4]]
    [letter] = service.letters()
    reasons = {name: value.decode() for name, value in letter.headers()}
    assert json.loads(letter.value()) == {"key": "rex", "value": 2}
    assert re.search(
        r"is 20\S+Z, 23:\d\d:\d\d ahead of the wall clock; max_future_ms allows 0:30:00",
        reasons["__streams.errors.message"],
    )


def test_state_that_was_closed_for_good_opens_again_when_the_bound_is_on(service):
    at = begin_of_window()
    service.start("--max-future-ms=off")
    service.send("rex", (1, at), (2, at + 30 * DAY), (3, at + 1_000))
    wait_until(lambda: service.windows("rex"), CLOSED_SECONDS)
    service.stop()
    assert service.letters() == []
    service.start()
    wait_until(lambda: "watermark set back" in service.log.read_text(), CLOSED_SECONDS)
    now = int(time.time() * 1000) // SPAN * SPAN + SPAN
    service.send("rex", (4, now), (5, now + 1_000), (6, now + 60_000))
    wait_until(lambda: [4, 5] in service.windows("rex"), CLOSED_SECONDS)
    service.stop()
    assert service.letters() == []
