"""Windows on a real broker: partitions a day apart, workers that are killed, and the clock at the end."""

import json
import time

import pytest

from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.lines import LineReceiver
from tests.kafka.service import ServiceProcess
from tests.kafka.tail import Tail
from tests.properties.window_model import END, Message, RangeWindows, SessionWindows, results
from wallaroo.state.store import POSITION_KEY

pytestmark = pytest.mark.slow
MINUTE, DAY = 60_000, 24 * 3_600_000
SPAN, SLIDE = 4_000, 2_000
GAP = 4_000
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
        metrics = self.process.get("/metrics")[1]
        assert "wallaroo_watermark_lag_seconds{" in metrics
        assert "wallaroo_late_records_total{" not in metrics
        assert self.process.stop() == 0
        assert self.results() == wanted
        changelog = read_topic(self.servers, f"{self.application_id}-values-changelog")
        states = {m.key(): m.value() for m in changelog if m.key() != POSITION_KEY}
        assert not any(states.values())
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


def chunks(rng, begin, count, size, first=0):
    """Messages every 50 ms or so, in order of time; a minute passes between chunks.

    So a machine that is slow at sending them is not taken for a stream that has ended.
    """
    made, number = [], first
    for at in range(begin, begin + count * MINUTE, MINUTE):
        times = sorted(at + rng.randrange(50 * size) for _ in range(size))
        made.append([Message(rng.choice(KEYS), number + n, time) for n, time in enumerate(times)])
        number += size
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
    now = today()
    yesterdays, todays = chunks(rng, now - DAY, 6, 250), chunks(rng, now, 6, 250, first=10_000)
    both = [[*one, *other] for one, other in zip(yesterdays, todays, strict=True)]
    # A partition that has never had a record is not waited for.
    service.send(both[0], by_day)
    process = service.start(workers=2)
    for chunk in both[1:]:
        if rng.random() < 0.6:
            process.kill_worker(rng)
        service.send(chunk, by_day)
    service.check(expected([message for chunk in both for message in chunk]))


def by_day(message):
    return int(message.value >= 10_000)


def test_without_a_hop_each_partition_is_a_stream_of_its_own(service, rng):
    first, second = chunks(rng, today(), 2, 500)
    service.send(first, by_key)
    process = service.start("--partitioned")
    wait_until(service.results)
    process.kill_worker(rng)
    service.send(second, by_key)
    service.check(expected([*first, *second]))


def by_key(message):
    return KEYS.index(message.key) % 2


def test_a_service_that_starts_again_goes_on_with_its_windows(service, rng):
    first, second = chunks(rng, today(), 2, 300)
    service.send(first, by_turns)
    service.start()
    wait_until(service.results)
    service.process.kill_all()
    service.send(second, by_turns)
    service.start(workers=2)
    service.check(expected([*first, *second]))


def test_a_service_that_is_killed_goes_on_with_its_open_sessions(service, rng):
    begin = today()
    halves = [
        [Message(key, number, begin + at) for number, (at, key) in enumerate(moments, first)]
        for first, moments in (
            (0, [(at, key) for at in range(0, 8_000, 1_000) for key in KEYS]),
            (1_000, [(at, key) for at in range(8_500, 16_000, 1_500) for key in KEYS[::2]]),
        )
    ]
    service.send(halves[0], by_key)
    service.start(f"--gap-ms={GAP}")
    wait_until(lambda: any(read_topic(service.servers, f"{service.application_id}-values-changelog")))
    service.process.kill_all()
    service.send(halves[1], by_key)
    service.start(f"--gap-ms={GAP}", workers=2)
    found = results(SessionWindows(GAP)(iter([*halves[0], *halves[1], END])))
    assert all(len(made) == 1 for made in found.values())
    service.check({key: [(at + 1, values) for values, at in made] for key, made in found.items()})


def by_turns(message):
    return message.value % 2


def test_a_declared_event_time_goes_through_the_hop_even_at_the_epoch_and_between_milliseconds(service, rng):
    first, second = chunks(rng, 0, 2, 300)
    produce(service.servers, service.in_topic, [as_told(m, by_turns(m)) for m in first])
    service.start("--event-time")
    wait_until(service.results)
    service.process.kill_worker(rng)
    produce(service.servers, service.in_topic, [as_told(m, by_turns(m)) for m in second])
    service.check(expected([*first, *second]))


def as_told(message, partition):
    """Sent now, about another time."""
    at = message.time * 1_000_000 + message.value % 1_000
    return Sent(message.key, json.dumps({"key": message.key, "value": message.value, "at": at}), partition)


def test_the_windowed_alerts_go_to_tcp(bootstrap_servers, application_id, tmp_path):
    """Their topic is everybody's, so the users are this test's own."""
    receiver = LineReceiver()
    options = [f"--bootstrap-servers={bootstrap_servers}", f"--application-id={application_id}"]
    arguments = ["topologies.alerts_windowed", *options, f"--out={receiver.address}"]
    process = ServiceProcess(arguments, tmp_path / "service.log")
    try:
        process.wait_ready()
        rich, poor = f"rich-{application_id}", f"poor-{application_id}"
        # The middle of three seconds, so that all of it is in the same windows.
        at = int(time.time() * 1000) // 3_000 * 3_000 + 1_500
        paid = [(rich, 1_500), (rich, 786), (poor, 2_000)]
        payments = [(user, json.dumps({"user": user, "amount": amount})) for user, amount in paid]
        produce(bootstrap_servers, "transactions", [Sent(*payment, timestamp_ms=at) for payment in payments])
        wanted = [f"Deposit Alert for {rich}: 2286".encode()] * 3
        wait_until(lambda: len(about(application_id, receiver)) >= len(wanted), CLOSED_SECONDS)
        assert process.stop() == 0
        assert about(application_id, receiver) == wanted
    finally:
        process.kill_all()
        receiver.close()


def about(application_id, receiver):
    return [line for line in receiver.lines() if application_id.encode() in line]


def test_a_window_whose_result_the_sink_refuses_is_a_dead_letter_and_the_others_come(service):
    service.out_topic += "-fussy"
    create_topic(service.servers, service.out_topic, 3, {"message.timestamp.before.max.ms": str(DAY)})
    service.tail = Tail(service.servers, service.out_topic)
    now = today()
    service.send([Message("old", 1, now - 9 * DAY), Message("new", 2, now)], lambda _message: 0)
    # Only the clock closes the window of this partition.
    service.send([Message("idle", 3, now - 9 * DAY)], lambda _message: 1)
    process = service.start("--partitioned", "--idle-timeout-ms=1000")
    wait_until(lambda: len(service.results().get("new", [])) == 2, CLOSED_SECONDS)
    dead = wait_until(lambda: dead_letters(service) if len(dead_letters(service)) == 4 else None)
    assert process.stop() == 0
    assert sorted(letter.key() for letter in dead) == [b"idle", b"idle", b"old", b"old"]
    assert {dict(letter.headers())["__streams.errors.stage"] for letter in dead} == {b"encode"}
    assert set(service.results()) == {"new"}
    changelog = read_topic(service.servers, f"{service.application_id}-values-changelog")
    assert not any({m.key(): m.value() for m in changelog if m.key() != POSITION_KEY}.values())
    assert "worker died" not in process.words()


def dead_letters(service):
    return read_topic(service.servers, f"{service.application_id}-dlq")
