"""A broker that forbids something: the service ends and says what to allow, or goes on with less."""

import pytest
from confluent_kafka.admin import AdminClient

from tests.kafka.acl import EVERYBODY, lay_down, rule
from tests.kafka.cluster import create_topic, wait_until
from tests.kafka.model import transaction
from wallaroo.kafka.topic_config import topic_properties
from wallaroo.settings import Settings
from wallaroo.task.limits import limits_of

AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
authorized = pytest.mark.parametrize("own_broker", [AUTHORIZED], indirect=True, ids=["authorized"])


@authorized
def test_a_topic_that_may_not_be_written_ends_the_service_with_what_to_allow(own_scenario):
    seen = rule(own_scenario.out_topic, "DESCRIBE", "ALLOW", EVERYBODY)
    lay_down(own_scenario.servers, seen, rule(own_scenario.out_topic, "WRITE", "DENY", EVERYBODY))
    own_scenario.send([transaction("rex", 3_000)])
    for guarantee in ("exactly_once", "at_least_once"):
        service = own_scenario.launch(processing_guarantee=guarantee)
        assert service.wait() == 2
        last = service.words().splitlines()[-1]
        assert "service stopped exit_code=2" in last
        assert "allow this client" in last
        assert own_scenario.out_topic in last
        assert "Traceback" not in service.words()
        assert "commit aborted" not in service.words()


@authorized
def test_what_a_topic_takes_is_kafkas_own_limit_where_it_may_not_be_asked(own_broker):
    servers = own_broker.bootstrap_servers
    create_topic(servers, "narrow", 1, {"max.message.bytes": "2000"})
    create_topic(servers, "hidden", 1, {"max.message.bytes": "3000"})
    lay_down(servers, rule("hidden", "DESCRIBE_CONFIGS", "DENY", EVERYBODY))
    admin = AdminClient({"bootstrap.servers": servers})
    settings = Settings(bootstrap_servers=servers)
    # The broker answers before a new rule is in force.
    wait_until(lambda: not topic_properties(admin, ["hidden"], settings)["hidden"])
    found = topic_properties(admin, ["narrow", "hidden"], settings)
    limits = {topic: limits_of(properties).max_bytes for topic, properties in found.items()}
    assert limits == {"narrow": 2_000, "hidden": 1_048_588}
