"""Everything in this folder needs a real Kafka."""

import gc
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker
from tests.kafka.lines import LineReceiver
from tests.kafka.proxy import FaultyProxy, Nothing
from tests.kafka.scenario import Scenario

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(autouse=True)
def _garbage_ends_here() -> Iterator[None]:
    """Destroying a client that only garbage holds may take its time: not that of whatever test comes next."""
    yield
    gc.collect()


@pytest.fixture
def receiver() -> Iterator[LineReceiver]:
    """A TCP receiver of lines."""
    made = LineReceiver()
    yield made
    made.close()


@pytest.fixture
def rng() -> random.Random:
    """Seeded from WALLAROO_TEST_SEED, else from pytest-randomly's seed; a failed test shows it."""
    seed = int(os.environ.get("WALLAROO_TEST_SEED") or random.getrandbits(32))
    print(f"repeat with WALLAROO_TEST_SEED={seed}")
    return random.Random(seed)  # noqa: S311 - chance, not secrets


@pytest.fixture
def scenario(bootstrap_servers: str, application_id: str, tmp_path: Path) -> Iterator[Scenario]:
    """An application on topics of its own; whatever it started is gone afterwards."""
    yield from _scenario(bootstrap_servers, application_id, tmp_path)


@pytest.fixture
def own_broker(
    kafka_broker: KafkaBroker, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[KafkaBroker]:
    """A broker without anything of other tests, where one may be started; a parameter is its properties."""
    properties = getattr(request, "param", None)
    broker = KafkaBroker(tmp_path / "broker", properties=properties, performance=SHORT_LIVED)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def proxy(kafka_proxy: FaultyProxy, kafka_broker: KafkaBroker) -> Iterator[FaultyProxy]:
    """A way to the broker on which requests may come late; quiet again after the test."""
    yield kafka_proxy
    kafka_proxy.plan = Nothing()


@pytest.fixture
def own_scenario(own_broker: KafkaBroker, application_id: str, tmp_path: Path) -> Iterator[Scenario]:
    """A scenario on that broker."""
    yield from _scenario(own_broker.bootstrap_servers, application_id, tmp_path)


def _scenario(servers: str, application_id: str, folder: Path) -> Iterator[Scenario]:
    made = Scenario(servers, application_id, folder).create_topics()
    yield made
    made.dispose()
