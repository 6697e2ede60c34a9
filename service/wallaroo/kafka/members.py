"""The members of a consumer group as Kafka describes them: who owns which partition at the moment."""

from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

# If a coordinator answers after the request has timed out, librdkafka 2.16 ends the process. Before that, the
# socket times out, after a minute unless set otherwise.
_REQUEST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Member:
    """One member; the host is where the broker sees it."""

    client_id: str
    host: str
    partitions: frozenset[tuple[str, int]]


def group_members(admin: AdminClient, group: str, timeout_seconds: float) -> list[Member]:
    """All members of a group, whatever its protocol.

    Raises KafkaException if Kafka refuses or does not know the request, TimeoutError if it does not answer.
    """
    future = admin.describe_consumer_groups([group], request_timeout=_REQUEST_SECONDS)[group]
    try:
        described = future.result(timeout=timeout_seconds)
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {timeout_seconds:g} s") from error
    return [
        Member(
            member.client_id,
            member.host.lstrip("/"),
            frozenset((tp.topic, tp.partition) for tp in member.assignment.topic_partitions),
        )
        for member in described.members
    ]


def reason_of(error: KafkaException | TimeoutError) -> str:
    return error.args[0].str() if isinstance(error, KafkaException) else str(error)
