"""Topics of ours take every time: created so, altered where nobody chose otherwise, and else a warning."""

import logging
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError

from tests.samples import KAFKA_SINK, compiled, source, total, user
from tests.unit.kafka.test_topic_refusals import FakeAdmin, answer
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topic_config import EVERY_TIME
from wallaroo.kafka.topics import ensure_topics
from wallaroo.settings import Settings

TOPOLOGY = compiled(source().key_by(user).to(total), KAFKA_SINK)
HOP, DEAD = "some-app-user-repartition", "some-app-dlq"
HOUR = "3600000"
ANY = str(2**63 - 1)
BY_DEFAULT, ON_THE_TOPIC = 5, 1


class Cluster(FakeAdmin):
    """Topics with properties (value, source), and what was asked of them."""

    def __init__(self, described, alters=None, creates=lambda _config: None):
        super().__init__(topics=described)
        self._of, self._alters, self._creates = described, alters, creates
        self.altered, self.created = {}, {}

    def describe_configs(self, resources, request_timeout):
        return {resource: answer(self._entries(self._of[resource.name])) for resource in resources}

    def incremental_alter_configs(self, resources, request_timeout):
        for resource in resources:
            self.altered[resource.name] = {e.name: e.value for e in resource.incremental_configs}
        return {resource: answer(self._alters) for resource in resources}

    def create_topics(self, new, request_timeout):
        self.created |= {topic.topic: topic.config for topic in new}
        return {topic.topic: answer(self._creates(topic.config)) for topic in new}

    def _entries(self, given):
        values = {"cleanup.policy": ("delete", BY_DEFAULT), **given}
        return {name: SimpleNamespace(value=value, source=by) for name, (value, by) in values.items()}


def ahead(value, by=BY_DEFAULT):
    return {"message.timestamp.after.max.ms": (value, by)}


def warnings(caplog):
    return [r.to_change for r in caplog.records if r.getMessage() == "a topic may refuse times"]


def ensure(admin, **settings):
    with_logs = Settings(bootstrap_servers="kafka:9092", **settings)
    ensure_topics(admin, TOPOLOGY, with_logs)


def test_every_topic_that_is_created_takes_every_time():
    admin = Cluster({})
    ensure(admin)
    assert len(admin.created) == 6
    assert all(config.items() >= EVERY_TIME.items() for config in admin.created.values())


def test_where_the_cluster_does_not_know_the_properties_topics_are_created_without():
    unknown = KafkaError(KafkaError.INVALID_CONFIG)
    admin = Cluster({}, creates=lambda config: unknown if config.keys() & EVERY_TIME.keys() else None)
    ensure(admin)
    assert admin.created[HOP].keys() & EVERY_TIME.keys() == set()
    assert admin.created[HOP]["retention.ms"] == "-1"


def test_a_topic_of_an_earlier_version_is_altered():
    admin = Cluster({HOP: ahead(HOUR), DEAD: ahead(ANY)})
    ensure(admin)
    assert admin.altered == {HOP: {"message.timestamp.after.max.ms": ANY}}


def test_before_kafka_3_6_it_is_the_limit_for_both():
    admin = Cluster({HOP: {"message.timestamp.difference.max.ms": (HOUR, BY_DEFAULT)}})
    ensure(admin)
    assert admin.altered == {HOP: {"message.timestamp.difference.max.ms": ANY}}


def test_what_an_operator_has_set_on_a_topic_stands_with_a_warning(caplog):
    admin = Cluster({HOP: ahead(HOUR, ON_THE_TOPIC)})
    ensure(admin)
    assert admin.altered == {}
    assert warnings(caplog) == [
        "kafka-configs.sh --bootstrap-server kafka:9092 --alter --entity-type topics --entity-name "
        f"{HOP} --add-config message.timestamp.after.max.ms={ANY}"
    ]


def test_what_an_operator_has_set_in_the_settings_stands(caplog):
    caplog.set_level(logging.INFO)
    admin = Cluster({HOP: ahead(HOUR)})
    ensure(admin, topic_config={"message.timestamp.after.max.ms": HOUR})
    assert (admin.altered, warnings(caplog)) == ({}, [])


@pytest.mark.parametrize(
    ("alters", "settings"),
    [(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), {}), (None, {"partitions": 4})],
)
def test_where_a_topic_may_not_be_altered_a_warning_says_how(caplog, alters, settings):
    names = [HOP, DEAD, "some-app-total-changelog", "some-app-in-positions-changelog", "in-topic", "out"]
    compacted = {"cleanup.policy": ("compact", BY_DEFAULT)}
    described = {name: ahead(HOUR) | (compacted if "changelog" in name else {}) for name in names}
    ensure(Cluster(described, alters=alters), create_topics=alters is not None, **settings)
    assert len(warnings(caplog)) == 4


def test_a_compacted_topic_that_loses_unread_records_is_refused():
    admin = Cluster({HOP: {"cleanup.policy": ("compact,delete", ON_THE_TOPIC)}})
    with pytest.raises(
        KafkaSetupError, match=f"{HOP} has cleanup.policy=compact,delete: records would be lost"
    ):
        ensure(admin)
