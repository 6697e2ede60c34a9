"""A broker that is restarted under load, cleanly or not, changes nothing."""

import pytest

from tests.kafka.model import transactions


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_restarted_under_load_changes_nothing(scenario, kafka_broker, rng, end):
    service = scenario.start()
    with scenario.feeding(transactions(rng, 10_000), seconds=6):
        getattr(kafka_broker, end)()
        kafka_broker.restart()
    scenario.finish()
    assert "Traceback" not in service.words()
