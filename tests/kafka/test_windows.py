"""Windows on a real broker: partitions a day apart, workers that are killed, and the clock at the end."""

import json
import time

import pytest

from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.service import ServiceProcess
from tests.kafka.tail import Tail
from tests.properties.window_model import END, Message, RangeWindows, results

DAY, SPAN, SLIDE = 24 * 3_600_000, 4_000, 2_000
KEYS = [f"key-{n}" for n in range(12)]
CLOSED_SECONDS = 90


class Service:
    """The window application on topics of its own."""

    def __init__(self, servers, application_id, folder):
        self.servers = servers
        self.application_id = application_id
        self.in_topic, self.out_topic = f"{application_id}-in", f"{application_id}-out"
        create_topic(servers, self.in_topic, 2)
        create_topic(servers, self.out_topic, 3)
        self.tail = Tail(servers, self.out_topic)
        self.log = folder / "service.log"
        self.process = None

    def start(self, *arguments, workers=1):
        options = {
            "bootstrap-servers": self.servers,
            "application-id": self.application_id,
            "workers": workers,
            "in-topic": self.in_topic,
            "out-topic": self.out_topic,
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        self.process = ServiceProcess(["tests.kafka.window_app", *given, *arguments], self.log)
        return self.process.wait_ready()

    def send(self, messages, partition_of):
        produce(self.servers, self.in_topic, [as_sent(m, partition_of(m)) for m in messages])

    def results(self):
        """What has been committed until now, by key and in order."""
        found = {}
        for message in self.tail.read():
            made = json.loads(message.value())
            end = (message.timestamp()[1] + 1, tuple(made["values"]))
            found.setdefault(made["key"], []).append(end)
        return found

    def check(self, wanted):
        """These results, neither more nor less, and nothing left open."""
        enough = sum(map(len, wanted.values()))
        wait_until(lambda: sum(map(len, self.results().values())) >= enough, CLOSED_SECONDS)
        assert self.process.stop() == 0
        assert self.results() == wanted
        changelog = read_topic(self.servers, f"{self.application_id}-values-changelog")
        assert not any({m.key(): m.value() for m in changelog}.values())
        assert read_topic(self.servers, f"{self.application_id}-dlq") == []


@pytest.fixture
def service(bootstrap_servers, application_id, tmp_path):
    made = Service(bootstrap_servers, application_id, tmp_path)
    yield made
    made.tail.close()
    if made.process is not None:
        made.process.kill_all()
        print(f"--- service.log ---\n{made.log.read_text(errors='replace')}")


def as_sent(message, partition):
    value = json.dumps({"key": message.key, "value": message.value})
    return Sent(message.key, value, partition, message.time)


def stream(rng, begin, count, first=0):
    """A message every 50 ms or so, in order of time."""
    made, at = [], begin
    for number in range(first, first + count):
        at += rng.randrange(100)
        made.append(Message(rng.choice(KEYS), number, at))
    return made


def expected(messages):
    """By key: the end and the values of every window, none of the messages being late."""
    model = RangeWindows(SPAN, SLIDE)
    found = results(model(iter([*messages, END])))
    return {key: [(end + 1, values) for values, end in made] for key, made in found.items()}


def today():
    # A broker takes no records from the future.
    return int(time.time() * 1000) - 600_000


def test_partitions_a_day_apart_lose_nothing_though_workers_are_killed(service, rng):
    yesterday, now = stream(rng, today() - DAY, 1_500), stream(rng, today(), 1_500, first=10_000)
    partition_of = {m.value: n for n, half in enumerate((yesterday, now)) for m in half}
    chunks = [[*yesterday[at : at + 250], *now[at : at + 250]] for at in range(0, 1_500, 250)]
    # A partition that has never had a record is not waited for.
    service.send(chunks[0], lambda m: partition_of[m.value])
    process = service.start(workers=2)
    for chunk in chunks[1:]:
        if rng.random() < 0.6:
            process.kill_worker(rng)
        service.send(chunk, lambda m: partition_of[m.value])
    service.check(expected([*yesterday, *now]))


def test_without_a_hop_each_partition_is_a_stream_of_its_own(service, rng):
    messages = stream(rng, today(), 1_000)
    service.send(messages[:500], lambda m: KEYS.index(m.key) % 2)
    process = service.start("--partitioned")
    wait_until(lambda: service.results())
    process.kill_worker(rng)
    service.send(messages[500:], lambda m: KEYS.index(m.key) % 2)
    service.check(expected(messages))


def test_a_service_that_starts_again_goes_on_with_its_windows(service, rng):
    messages = stream(rng, today(), 600)
    service.send(messages[:300], lambda m: m.value % 2)
    service.start()
    wait_until(lambda: service.results())
    service.process.kill_all()
    service.send(messages[300:], lambda m: m.value % 2)
    service.start(workers=2)
    service.check(expected(messages))
