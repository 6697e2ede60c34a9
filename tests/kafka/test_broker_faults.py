"""A broker that is restarted under load, cleanly or not, changes nothing."""

import pytest

from scripts.kafka.broker import KafkaBroker
from tests.kafka.model import transactions
from tests.kafka.scenario import Scenario


@pytest.fixture
def own_broker(kafka_broker, tmp_path):
    """A broker that holds nothing of other tests and is quickly started again; where one may be started."""
    broker = KafkaBroker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_restarted_under_load_changes_nothing(own_broker, application_id, tmp_path, rng, end):
    scenario = Scenario(own_broker.bootstrap_servers, application_id, tmp_path).create_topics()
    try:
        service = scenario.start()
        with scenario.feeding(transactions(rng, 10_000), seconds=6):
            getattr(own_broker, end)()
            own_broker.restart()
        scenario.finish()
        assert "Traceback" not in service.words()
    finally:
        scenario.dispose()
