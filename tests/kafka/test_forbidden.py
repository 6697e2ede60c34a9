"""A broker that forbids writing to a topic: the service ends and says what to allow."""

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from scripts.kafka.broker import KafkaBroker
from tests.kafka.cluster import TIMEOUT_SECONDS
from tests.kafka.model import transaction
from tests.kafka.scenario import Scenario

AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@pytest.fixture
def strict_broker(kafka_broker, tmp_path):
    """A broker that has rules, and none as yet; where one may be started."""
    broker = KafkaBroker(tmp_path / "broker", properties=AUTHORIZED)
    broker.start()
    yield broker
    broker.stop()


def test_a_topic_that_may_not_be_written_ends_the_service_with_what_to_allow(
    strict_broker, application_id, tmp_path
):
    scenario = Scenario(strict_broker.bootstrap_servers, application_id, tmp_path).create_topics()
    try:
        forbid_writing(scenario.servers, scenario.out_topic)
        service = scenario.start()
        scenario.send([transaction("rex", 3_000)])
        assert service.wait() == 2
        assert "allow this client Read and Write on topics" in service.words()
        assert "Traceback" not in service.words()
    finally:
        scenario.dispose()


def forbid_writing(servers, topic):
    rule = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        AclOperation.WRITE,
        AclPermissionType.DENY,
    )
    allowed = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        AclOperation.DESCRIBE,
        AclPermissionType.ALLOW,
    )
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_acls([rule, allowed]).values():
        made.result(TIMEOUT_SECONDS)
