"""What every test may ask for: a real Kafka, and a name of its own on it."""

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Its assertions are to show what differs, whoever imports it first.
pytest.register_assert_rewrite("tests.kafka.scenario")

from scripts.kafka.broker import KafkaBroker  # noqa: E402
from scripts.kafka.errors import KafkaUnavailableError  # noqa: E402
from tests.kafka.provider import Cluster, any_kafka  # noqa: E402
from tests.kafka.proxy import FaultyProxy  # noqa: E402

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
# Tests with a Kafka wait half of their time. Each process has a Kafka of its own; with more of them,
# two cores would be too busy for the deadlines of tests that kill it.
PROCESSES = 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `--numprocesses=auto` starts: for a few chosen tests, none."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    files = named and not all(Path(argument).is_dir() for argument in config.args)
    few = files or config.option.keyword or config.getoption("lf", False)
    return 0 if few else PROCESSES


@pytest.hookimpl(trylast=True)  # what pytest-randomly has shuffled stays so otherwise
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that no process is left with one when the others have ended."""
    items.sort(key=_by_duration)


def _by_duration(item: pytest.Item) -> int:
    if item.get_closest_marker("slow"):
        return 0
    return 1 if item.get_closest_marker("kafka") else 2


@pytest.fixture(scope="session")
def kafka_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One Kafka for all tests of this process."""
    try:
        with any_kafka() as cluster:
            yield cluster
    except KafkaUnavailableError as error:
        if os.environ.get("TESTS_NEED_KAFKA"):
            raise
        request.config.stash[WHY_NO_KAFKA] = str(error)
        pytest.skip(f"no Kafka: {error}")


@pytest.fixture(scope="session")
def kafka_proxy(kafka_cluster: Cluster) -> Iterator[FaultyProxy]:
    """Another way to that Kafka, on which anything may go wrong."""
    if kafka_cluster.broker is None:
        pytest.skip("this Kafka belongs to somebody else; it sends nobody to a proxy")
    made = FaultyProxy(kafka_cluster.proxy_port, kafka_cluster.proxied_port)
    yield made
    made.close()


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process beside others hands over why it has skipped."""
    handed_over = getattr(session.config, "workeroutput", None)
    if handed_over is not None:
        handed_over["why_no_kafka"] = session.config.stash.get(WHY_NO_KAFKA, None)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take it over; one that has crashed hands nothing over."""
    reason = getattr(node, "workeroutput", {}).get("why_no_kafka")
    if reason is not None:
        node.config.stash[WHY_NO_KAFKA] = reason


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
