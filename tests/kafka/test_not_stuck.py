"""What strangers do to our topics: records that are not ours, and topics that are gone."""

import pytest
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from tests.kafka.model import transaction
from tests.kafka.scenario import PARTITIONS, Scenario

pytestmark = pytest.mark.slow

FOREIGN = b'{"user": "rex", "amount": 7}'


def test_a_record_replayed_by_hand_into_an_internal_topic_is_a_dead_letter_and_processing_goes_on(scenario):
    service = scenario.start(workers=2)
    scenario.send([transaction("rex", 3_000)])
    scenario.settle()
    place = Sent("rex", FOREIGN, 1, 1_234_567, (("__streams.errors.stage", b"add up"),))
    produce(scenario.servers, scenario.repartition, [place])
    [letter] = wait_until(lambda: scenario.tail(scenario.dead_letters).read())
    assert (letter.key(), letter.value()) == (b"rex", FOREIGN)
    wait_until(lambda: "WARNING dead letter" in service.words())
    [line] = [each for each in service.words().splitlines() if "WARNING dead letter" in each]
    assert f"topic={scenario.repartition} partition=1 " in line
    assert "ForeignRecordError" in line
    assert service.metric("wallaroo_dead_letters_total", error="ForeignRecordError") == 1
    scenario.send([transaction("rex", 3_000)])
    wait_until(lambda: len(scenario.tail(scenario.out_topic).read()) >= scenario.expected.alert_count)
    scenario.stop_all()
    assert scenario.totals() == scenario.expected.totals


def test_what_does_not_claim_to_be_ours_in_a_changelog_is_left_out_of_a_restore(scenario):
    scenario.start()
    scenario.send([transaction("rex", 3_000)])
    scenario.settle()
    scenario.stop_all()
    places = [Sent("rex", FOREIGN, number) for number in range(PARTITIONS)]
    produce(scenario.servers, scenario.changelog, places)
    service = scenario.start()
    assert service.words().count("WARNING foreign record") == PARTITIONS
    scenario.send([transaction("rex", 3_000)])
    wait_until(lambda: len(scenario.tail(scenario.out_topic).read()) >= scenario.expected.alert_count)
    scenario.stop_all()
    assert scenario.alerts() == scenario.expected.alerts


def test_a_sink_that_is_gone_is_named_and_work_goes_on_when_it_is_back(scenario: Scenario):
    service = scenario.start()
    scenario.send([transaction("rex", 3_000)])
    scenario.settle()
    admin = AdminClient({"bootstrap.servers": scenario.servers})
    admin.delete_topics([scenario.out_topic])[scenario.out_topic].result()
    scenario.send([transaction("rex", 3_000)])
    wait_until(lambda: f"the topic {scenario.out_topic} is gone" in service.get("/readyz")[1], 25)
    assert service.status("/readyz") == 503
    assert f"the topic {scenario.out_topic} is gone" in service.words()
    assert service.metric("wallaroo_consumer_lag_records") > 0
    create_topic(scenario.servers, scenario.out_topic, PARTITIONS - 1)
    wait_until(lambda: service.status("/readyz") == 200, 60)
    wait_until(lambda: "commits succeed again" in service.words(), 10)
    scenario.stop_all()


def test_a_dead_letter_topic_that_is_gone_fences_no_producer(scenario: Scenario):
    service = scenario.start()
    scenario.settle()
    admin = AdminClient({"bootstrap.servers": scenario.servers})
    admin.delete_topics([scenario.dead_letters])[scenario.dead_letters].result()
    scenario.send([Sent("rex", b"{", number) for number in range(PARTITIONS)])
    gone = f"the topic {scenario.dead_letters} is gone"
    wait_until(lambda: gone in service.get("/readyz")[1], 25)
    wait_until(lambda: "exit_code=1" in service.words(), 180)
    [died] = [line for line in service.words().splitlines() if "worker died" in line]
    assert gone in died
    assert "fenced" not in service.words()
    create_topic(scenario.servers, scenario.dead_letters, 1)
    wait_until(lambda: service.status("/readyz") == 200, 60)
    wait_until(lambda: "commits succeed again" in service.words(), 10)
    scenario.stop_all()
