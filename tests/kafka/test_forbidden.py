"""A broker that forbids writing to a topic: the service ends and says what to allow."""

import pytest

from tests.kafka.acl import EVERYBODY, lay_down, rule
from tests.kafka.model import transaction

AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@pytest.mark.parametrize("own_broker", [AUTHORIZED], indirect=True, ids=["authorized"])
def test_a_topic_that_may_not_be_written_ends_the_service_with_what_to_allow(own_scenario):
    seen = rule(own_scenario.out_topic, "DESCRIBE", "ALLOW", EVERYBODY)
    lay_down(own_scenario.servers, seen, rule(own_scenario.out_topic, "WRITE", "DENY", EVERYBODY))
    service = own_scenario.start()
    own_scenario.send([transaction("rex", 3_000)])
    assert service.wait() == 2
    assert "allow this client Read and Write on topics" in service.words()
    assert "Traceback" not in service.words()
