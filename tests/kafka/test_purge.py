"""What everybody has read is deleted from the topics that are ours alone, and from no others."""

from tests.kafka.cluster import read_topic
from tests.kafka.model import transactions
from wallaroo.service.application import load
from wallaroo.service.own_topics import OwnTopics
from wallaroo.settings import Settings


def test_records_that_have_been_read_are_deleted_from_the_repartition_topic(scenario, rng):
    scenario.send(transactions(rng, 2_000))
    scenario.start()
    scenario.settle()
    scenario.stop_all()
    settings = Settings(bootstrap_servers=scenario.servers)
    arguments = ("apps", f"--in-topic={scenario.in_topic}", f"--out-topic={scenario.out_topic}")
    topology = load("tests.kafka.apps", arguments, scenario.application_id).topology
    [repartition] = topology.repartitions
    assert read_topic(scenario.servers, repartition)
    OwnTopics(topology, settings, "purge").purge()
    assert read_topic(scenario.servers, repartition) == []
    assert len(read_topic(scenario.servers, scenario.in_topic)) == 2_000
    scenario.start()
    scenario.send(transactions(rng, 500))
    scenario.finish()
