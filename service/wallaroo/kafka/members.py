"""The members of a consumer group as Kafka describes them: who owns which partition at the moment."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

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


class GroupMembers:
    """The members of groups, asked for by any thread; one request a group at a time, which all wait for."""

    def __init__(self, admin: AdminClient, timeout_seconds: float) -> None:
        self._admin = admin
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._asked: dict[str, Future[Any]] = {}

    def __call__(self, group: str) -> list[Member]:
        """All members of a group, whatever its protocol.

        Raises KafkaException if Kafka refuses or does not know the request, TimeoutError without an answer.
        """
        try:
            described = self._ask(group).result(self._timeout_seconds)
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {self._timeout_seconds:g} s") from error
        return [
            Member(
                member.client_id,
                member.host.lstrip("/"),
                frozenset((tp.topic, tp.partition) for tp in member.assignment.topic_partitions),
            )
            for member in described.members
        ]

    def _ask(self, group: str) -> Future[Any]:
        with self._lock:
            asked = self._asked.get(group)
            if asked is None or asked.done():
                futures = self._admin.describe_consumer_groups([group], request_timeout=_REQUEST_SECONDS)
                asked = self._asked[group] = futures[group]
            return asked


def reason_of(error: KafkaException | TimeoutError) -> str:
    return error.args[0].str() if isinstance(error, KafkaException) else str(error)
