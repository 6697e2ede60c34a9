"""`python -m benchmarks.failover`: how long partitions stand still when a worker dies, joins or leaves.

Classic groups with static members beside KIP-848 groups, each on a broker of its own.
"""

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from scripts.kafka.broker import KafkaBroker
from tests.kafka.cluster import wait_until
from tests.kafka.service import ServiceProcess

RESULTS = Path(__file__).with_name("results") / "failover.json"
PARTITIONS = 4
EVERY_SECONDS = 0.02
PATIENCE_SECONDS = 120
CALM_SECONDS = 3
REPETITIONS = 3
SHORT_SESSION = {
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
}
# Group protocol, and what the broker is told.
CASES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "classic, static members": ("classic", {}),
    "consumer, broker's session 6 s": ("consumer", SHORT_SESSION),
    "consumer, broker's defaults": ("consumer", {}),
}


@dataclass(slots=True)
class Watch:
    """The newest transaction of each partition that has become an alert, and the longest pause so far."""

    newest: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)

    def take(self, user: str, made: float) -> None:
        now = time.time()
        self.pauses[user] = max(self.pauses.get(user, 0.0), now - self.arrived.get(user, now))
        self.arrived[user], self.newest[user] = now, made

    def is_beyond(self, moment: float) -> bool:
        return len(self.newest) == PARTITIONS and min(self.newest.values()) > moment

    def longest_pause(self) -> float:
        pause, self.pauses = max(self.pauses.values(), default=0.0), {}
        return pause


def main() -> None:
    results = {}
    for name, (protocol, properties) in CASES.items():
        results[name] = _measure(protocol, properties)
        print(name, results[name], flush=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _measure(protocol: str, properties: Mapping[str, str]) -> dict[str, list[float]]:
    with (
        tempfile.TemporaryDirectory() as name,
        _broker(Path(name), properties) as servers,
        _traffic(servers) as watch,
        _services(servers, protocol, Path(name)) as start,
    ):
        found = {"worker killed": _worker_killed(start(2), watch)}
        first = start(1)
        found |= _service_ends(start, watch, "leaves", ServiceProcess.stop)
        found |= _service_ends(start, watch, "killed", ServiceProcess.kill_all)
        first.stop()
        return found


def _worker_killed(service: ServiceProcess, watch: Watch) -> list[float]:
    """Seconds from SIGKILL of one of two workers until every partition has moved on."""
    found = []
    for _ in range(REPETITIONS):
        time.sleep(CALM_SECONDS)
        service.kill_worker(random.Random(0))
        found.append(_until_all_move(watch))
    service.stop()
    return found


def _service_ends(
    start: Callable[[int], ServiceProcess], watch: Watch, how: str, end: Callable[[ServiceProcess], object]
) -> dict[str, list[float]]:
    """The longest pauses of a partition when a second service joins, and when that one ends."""
    joins, ends = [], []
    for _ in range(REPETITIONS):
        _until_all_move(watch)
        second: list[ServiceProcess] = []
        joins.append(_pause_of(watch, partial(_append, second, start)))
        ends.append(_pause_of(watch, partial(end, second[0])))
    return {f"service joins, later {how}": joins, f"service {how}": ends}


def _append(services: list[ServiceProcess], start: Callable[[int], ServiceProcess]) -> None:
    services.append(start(1))


def _pause_of(watch: Watch, event: Callable[[], object]) -> float:
    watch.longest_pause()
    event()
    time.sleep(CALM_SECONDS)
    _until_all_move(watch)
    return round(watch.longest_pause(), 2)


def _until_all_move(watch: Watch) -> float:
    moment = time.time()
    wait_until(lambda: watch.is_beyond(moment), PATIENCE_SECONDS)
    return round(time.time() - moment, 2)


@contextmanager
def _broker(folder: Path, properties: Mapping[str, str]) -> Iterator[str]:
    broker = KafkaBroker(folder / "broker", properties=properties)
    broker.start()
    try:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        topics = [NewTopic(topic, PARTITIONS, 1) for topic in ("transactions", "alerts")]
        for created in admin.create_topics(topics).values():
            created.result(30)
        yield broker.bootstrap_servers
    finally:
        broker.stop()


@contextmanager
def _services(servers: str, protocol: str, folder: Path) -> Iterator[Callable[[int], ServiceProcess]]:
    started: list[ServiceProcess] = []

    def start(workers: int) -> ServiceProcess:
        arguments = ["topologies.alerts_stateful", f"--bootstrap-servers={servers}", f"--workers={workers}"]
        arguments += [f"--group-protocol={protocol}", "--partitioned-by-user"]
        started.append(ServiceProcess(arguments, folder / f"service-{len(started)}.log"))
        return started[-1].wait_ready(PATIENCE_SECONDS)

    try:
        yield start
    finally:
        for service in started:
            service.kill_all()


@contextmanager
def _traffic(servers: str) -> Iterator[Watch]:
    """A transaction for every partition every few milliseconds, each of which makes an alert."""
    watch, stopping = Watch(), threading.Event()
    threads = [threading.Thread(target=work, args=(servers, watch, stopping)) for work in (_send, _read)]
    for thread in threads:
        thread.start()
    try:
        yield watch
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _send(servers: str, _watch: Watch, stopping: threading.Event) -> None:
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 0, "log_level": 0})
    while not stopping.wait(EVERY_SECONDS):
        for partition in range(PARTITIONS):
            user = f"user-{partition}"
            producer.produce("transactions", json.dumps({"user": user, "amount": 3_000}), user, partition)
        producer.poll(0)
    producer.flush(10)


def _read(servers: str, watch: Watch, stopping: threading.Event) -> None:
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "watch", "enable.auto.commit": False, "log_level": 0}
    )
    consumer.assign([TopicPartition("alerts", number, OFFSET_END) for number in range(PARTITIONS)])
    while not stopping.is_set():
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            watch.take(message.key().decode(), message.timestamp()[1] / 1000)
    consumer.close()


if __name__ == "__main__":
    main()
