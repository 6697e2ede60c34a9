"""Which topics an application needs, with how many partitions, before anything is created."""

import wallaroo
from tests.samples import (
    KAFKA_SINK,
    TCP_SINK,
    compiled,
    decode,
    encode,
    history,
    look,
    source,
    total,
    user,
)
from wallaroo.kafka.topics import TopicPlan, orphans, plan

EVERY_TIME = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "message.timestamp.after.max.ms": str(2**63 - 1),
}
KEEP = {"retention.ms": "-1", **EVERY_TIME}
COMPACT = {"cleanup.policy": "compact", **EVERY_TIME}
LAST_ONLY = {**COMPACT, "segment.bytes": "16777216"}


def planned(topology, default=4, **existing):
    existing = {name.replace("_", "-"): count for name, count in existing.items()}
    return plan(topology, existing, default)


def partitions(topology, **rest):
    return {p.name: p.partitions for p in planned(topology, **rest)}


def test_every_topic_has_its_purpose_and_what_it_needs():
    topology = compiled(source().key_by(user).to(total), KAFKA_SINK, TCP_SINK)
    assert planned(topology) == [
        TopicPlan("in-topic", "source", 4, EVERY_TIME),
        TopicPlan("some-app-user-repartition", "repartition", 4, KEEP),
        TopicPlan("some-app-in-positions-changelog", "positions", 4, LAST_ONLY),
        TopicPlan("some-app-total-changelog", "changelog", 4, COMPACT, exact=True),
        TopicPlan("some-app-encode-outbox", "outbox", 4, KEEP),
        TopicPlan("out", "sink", 4, EVERY_TIME),
        TopicPlan("some-app-dlq", "dead letters", 4, KEEP),
    ]


def test_a_changelog_is_as_wide_as_what_its_sub_topology_reads():
    topology = compiled(source(partitioned_by=user).key_by(user).to(total))
    assert partitions(topology, in_topic=7)["some-app-total-changelog"] == 7


def test_a_repartition_topic_is_as_wide_as_the_widest_source():
    topology = compiled(source("a").merge(source("b")).key_by(user).to(total))
    found = partitions(topology, a_topic=3, b_topic=9)
    assert found["some-app-user-repartition"] == found["some-app-total-changelog"] == 9


def test_a_repartition_topic_that_exists_keeps_its_width():
    topology = compiled(source().key_by(user).to(total))
    found = partitions(topology, in_topic=9, some_app_user_repartition=5)
    assert found["some-app-user-repartition"] == found["some-app-total-changelog"] == 5


def test_a_changelog_that_exists_with_another_width_is_wanted_as_it_should_be():
    topology = compiled(source().key_by(user).to(total))
    assert partitions(topology, some_app_total_changelog=2)["some-app-total-changelog"] == 4


def test_other_topics_that_exist_are_taken_as_they_are():
    found = partitions(compiled(source(), KAFKA_SINK, TCP_SINK), in_topic=1, out=2, some_app_encode_outbox=3)
    assert (found["in-topic"], found["out"], found["some-app-encode-outbox"]) == (1, 2, 3)


def test_each_stage_with_state_has_its_changelog():
    topology = compiled(source().key_by(user).to(total).to(history))
    assert [p.name for p in planned(topology) if p.purpose == "changelog"] == [
        "some-app-total-changelog",
        "some-app-history-changelog",
    ]


def test_a_topic_that_is_both_read_and_written_is_planned_once():
    sink = wallaroo.KafkaSinkConfig("in-topic", encoder=encode)
    names = [p.name for p in planned(compiled(source().to(look), sink))]
    assert names.count("in-topic") == 1


def test_one_sink_behind_two_branches_is_planned_once():
    names = [p.name for p in planned(compiled(source("a").merge(source("b"))))]
    assert names.count("out") == 1


def test_one_topic_that_two_sources_read_is_planned_once():
    again = wallaroo.source("again", wallaroo.KafkaSourceConfig("in-topic", decoder=decode))
    names = [p.name for p in planned(compiled(source("in").merge(again)))]
    assert names.count("in-topic") == 1


def test_internal_topics_that_nothing_uses_any_more_are_found():
    topology = compiled(source().key_by(user).to(total), KAFKA_SINK)
    existing = [
        "some-app-sum-changelog",
        "some-app-user-repartition",
        "some-application-a-changelog",
        "in-topic",
    ]
    assert orphans("some-app", existing, planned(topology)) == ["some-app-sum-changelog"]
