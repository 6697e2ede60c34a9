"""Where the tests' Kafka comes from: the environment, else this machine's Java, else a Docker daemon."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker, answers
from scripts.kafka.errors import KafkaStartError, KafkaUnavailableError
from scripts.kafka.process import dismiss, free_port, guard
from scripts.kafka.properties import as_environment, in_container
from tests.kafka.cluster import wait_until

IMAGE = "apache/kafka:4.3.1"

# In a group of the new protocol the broker decides how long a silent member is waited for: 45 s. And it
# looks for something to compact every 15 s, and for transactions that are out of time every 10 s. What is
# older than a week by its own timestamp, as many a record here, would be deleted at any moment.
IMPATIENT = {
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    "log.cleaner.backoff.ms": "500",
    "log.retention.ms": "-1",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka to test on, and the handle on its broker if this run may stop it.

    Its broker listens on one more port, whose clients it sends to a proxy that is still to be started.
    """

    bootstrap_servers: str
    broker: KafkaBroker | None = None
    proxied_port: int = 0
    proxy_port: int = 0


@contextmanager
def any_kafka() -> Iterator[Cluster]:
    """The first that can be had; KafkaUnavailableError with every reason when none can."""
    reasons = []
    with ExitStack() as stack:
        for provider in _providers():
            try:
                cluster = stack.enter_context(provider())
            except KafkaUnavailableError as error:
                reasons.append(str(error))
                continue
            yield cluster
            return
    raise KafkaUnavailableError("; ".join(reasons))


def _providers() -> list[Callable[[], AbstractContextManager[Cluster]]]:
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return [_from_environment]
    return [from_jars, _from_docker]


@contextmanager
def _from_environment() -> Iterator[Cluster]:
    servers = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    if not answers(servers, timeout_seconds=15):
        raise KafkaStartError(f"KAFKA_BOOTSTRAP_SERVERS is {servers}, and no Kafka answers there")
    yield Cluster(servers)


@contextmanager
def from_jars() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="wallaroo-kafka-") as folder:
        port, controller, proxied, proxy = (free_port() for _ in range(4))
        properties = {**IMPATIENT, **_listeners(port, controller, proxied, proxy)}
        broker = KafkaBroker(Path(folder), port, properties, performance=SHORT_LIVED)
        broker.start()
        try:
            yield Cluster(broker.bootstrap_servers, broker, proxied, proxy)
        finally:
            broker.stop()


def _listeners(port: int, controller: int, proxied: int, proxy: int) -> Mapping[str, str]:
    """Whoever comes to the port `proxied` is told that the broker is at `proxy`."""
    return {
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied},"
        f"CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }


@contextmanager
def _from_docker() -> Iterator[Cluster]:
    port = free_port()
    name = f"wallaroo-kafka-{port}"
    removal = ["docker", "rm", "--force", name]
    _docker_run(name, port)
    guarding = guard(removal)
    try:
        servers = f"127.0.0.1:{port}"
        wait_until(lambda: answers(servers), timeout_seconds=90)
        yield Cluster(servers)
    finally:
        dismiss(guarding)
        subprocess.run(removal, capture_output=True, check=False)


def _docker_run(name: str, port: int) -> None:
    if shutil.which("docker") is None:
        raise KafkaUnavailableError("no docker found")
    properties = {**in_container(port), **IMPATIENT}
    variables = [f"--env={key}={value}" for key, value in as_environment(properties).items()]
    command = ["docker", "run", "--detach", "--rm", f"--name={name}", f"--publish=127.0.0.1:{port}:{port}"]
    done = subprocess.run([*command, *variables, IMAGE], capture_output=True, text=True, check=False)
    if done.returncode:
        raise KafkaUnavailableError(f"no container: {' '.join(done.stderr.split())}")
