"""Topics that are missing, wrong or shortened: a clear message and an exit code, or what the policy says."""

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import TIMEOUT_SECONDS, create_topic
from tests.kafka.model import transaction, transactions


def test_a_changelog_with_another_number_of_partitions_is_refused(scenario):
    create_topic(scenario.servers, scenario.changelog, 3, {"cleanup.policy": "compact"})
    service = scenario.launch(partitions=4)
    assert service.wait() == 2
    assert f"the changelog topic {scenario.changelog} has 3 partitions, but its input has" in service.words()
    assert "Traceback" not in service.words()


def test_a_changelog_that_is_not_compacted_is_refused(scenario):
    create_topic(scenario.servers, scenario.changelog, 4, {"cleanup.policy": "delete"})
    service = scenario.launch()
    assert service.wait() == 2
    assert "set cleanup.policy=compact on it" in service.words()


def test_topics_that_are_missing_are_named_when_they_are_not_to_be_created(scenario):
    service = scenario.launch(create_topics=False)
    assert service.wait() == 2
    assert f"these topics are missing: {scenario.application_id}" in service.words()
    assert "create_topics=true" in service.words()


def test_offsets_that_are_gone_stop_the_service_until_the_policy_allows_it(scenario, rng):
    scenario.arguments = ["--partitioned-by-user"]
    scenario.send(transactions(rng, 1_000))
    scenario.start()
    scenario.settle()
    scenario.stop_all()
    scenario.send([transaction("lost", 3_000), transaction("kept", 3_000)])
    delete_up_to_the_last(scenario, "kept")
    service = scenario.launch()
    assert service.wait() == 2
    assert "set on_offset_out_of_range to earliest or latest" in service.words()
    del scenario.expected.alerts["lost"], scenario.expected.totals[b"lost"]
    scenario.start(on_offset_out_of_range="earliest")
    scenario.finish()


def delete_up_to_the_last(scenario, user):
    """Delete every record of the input but the last one of this user's partition."""
    admin = AdminClient({"bootstrap.servers": scenario.servers})
    kept = [m for m in scenario.tail(scenario.in_topic).read_to_end() if m.key() == user.encode()]
    ends = {m.partition(): m.offset() + 1 for m in scenario.tail(scenario.in_topic).messages}
    ends[kept[-1].partition()] -= 1
    wanted = [TopicPartition(scenario.in_topic, number, end) for number, end in ends.items()]
    for future in admin.delete_records(wanted).values():
        future.result(TIMEOUT_SECONDS)


def test_whoever_waits_for_a_service_that_has_ended_is_told_at_once(scenario):
    service = scenario.launch(create_topics=False)
    assert service.wait() == 2
    with pytest.raises(AssertionError, match="these topics are missing"):
        service.wait_ready()
