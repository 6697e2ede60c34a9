"""Rules of an authorizer: who may do what with a topic."""

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.kafka.cluster import TIMEOUT_SECONDS

EVERYBODY = "User:ANONYMOUS"


def rule(topic: str, operation: str, permission: str, user: str, pattern: str = "LITERAL") -> AclBinding:
    """One rule, such as ("alerts", "WRITE", "DENY", EVERYBODY)."""
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType[pattern],
        user,
        "*",
        AclOperation[operation],
        AclPermissionType[permission],
    )


def lay_down(servers: str, *rules: AclBinding) -> None:
    """Return when they are in force."""
    admin = AdminClient({"bootstrap.servers": servers})  # kept: without it the requests are dropped
    for made in admin.create_acls(list(rules)).values():
        made.result(TIMEOUT_SECONDS)
