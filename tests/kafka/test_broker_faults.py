"""A broker that is restarted under load, cleanly or not, changes nothing."""

import pytest

from tests.kafka.model import transactions


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_restarted_under_load_changes_nothing(own_broker, own_scenario, rng, end):
    service = own_scenario.start()
    with own_scenario.feeding(transactions(rng, 10_000), seconds=6):
        getattr(own_broker, end)()
        own_broker.restart()
    own_scenario.finish()
    assert "Traceback" not in service.words()
