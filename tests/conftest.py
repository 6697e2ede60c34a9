"""What every test may ask for: a real Kafka, and a name of its own on it."""

import os
import re
import uuid
from collections.abc import Iterator

import hypothesis
import pytest

from scripts.kafka.broker import KafkaBroker
from scripts.kafka.errors import KafkaUnavailableError
from tests.kafka.provider import Cluster, any_kafka

# Laws are about results; how long an example takes on a busy machine is none of theirs. In CI the examples
# are the same each time: a new counter-example is found by a person, who can keep it.
hypothesis.settings.register_profile(
    "ours",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ours")

WHY_NO_KAFKA = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def kafka_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One Kafka for the whole run."""
    try:
        with any_kafka() as cluster:
            yield cluster
    except KafkaUnavailableError as error:
        if os.environ.get("WALLAROO_TESTS_NEED_KAFKA"):
            raise
        request.config.stash[WHY_NO_KAFKA] = str(error)
        pytest.skip(f"no Kafka: {error}")


@pytest.fixture(scope="session")
def bootstrap_servers(kafka_cluster: Cluster) -> str:
    return kafka_cluster.bootstrap_servers


@pytest.fixture
def kafka_broker(kafka_cluster: Cluster) -> Iterator[KafkaBroker]:
    """The broker, to be stopped and killed at will; it runs again before the next test."""
    broker = kafka_cluster.broker
    if broker is None:
        pytest.skip("this Kafka belongs to somebody else; it must not be stopped")
    yield broker
    if not broker.running:
        broker.start()


@pytest.fixture
def application_id(request: pytest.FixtureRequest) -> str:
    """A prefix for topics and groups that no other test has."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{words[:60]}-{uuid.uuid4().hex[:8]}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last lines, behind pytest's own: a green run without Kafka proves little."""
    reason = config.stash.get(WHY_NO_KAFKA, None)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if reason is None or terminal is None:
        return
    terminal.section("THE KAFKA TESTS WERE SKIPPED", sep="!", red=True, bold=True)
    terminal.write_line(f"No Kafka could be had: {reason}", yellow=True)
    terminal.write_line(
        "Set KAFKA_BOOTSTRAP_SERVERS, or install Java 17+ and Maven, or start Docker.", yellow=True
    )
