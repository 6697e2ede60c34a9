"""The members of a consumer group as Kafka describes them: who owns which partition, and who is out of it."""

import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock, utc
from wallaroo.kafka.clients import ADVERTISED
from wallaroo.kafka.retry import retry

_log = logging.getLogger(__name__)

# If a coordinator answers after the request has timed out, librdkafka 2.16 ends the process. Before that, the
# socket times out, after a minute unless set otherwise.
_REQUEST_SECONDS = 600.0
# A member comes back by itself within seconds where Kafka lets it.
_OUT_SECONDS = 9.0
_OUT_LOG_SECONDS = 30.0
_GROUP_ADVICE = {
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "another consumer is in this group that shares out partitions in "
    "another way: let only this application use the group",
    KafkaError.GROUP_MAX_SIZE_REACHED: "raise group.max.size of the brokers, or run fewer workers",
    KafkaError._MAX_POLL_EXCEEDED: "user code has held its loop for longer than max.poll.interval.ms",  # noqa: SLF001 - the client's public name
}
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
# What a group is called that there is not: brokers from Kafka 4.0 on say so, those before call it dead.
_NO_GROUP = "none"


@dataclass(frozen=True, slots=True)
class Member:
    """One member; the host is where the broker sees it."""

    client_id: str
    host: str
    partitions: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Group:
    """A group as its coordinator describes it: its state, in Kafka's words, and its members."""

    state: str
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a partition; `url` is where its pages are, empty if it does not say so."""

    instance: str
    worker: str
    host: str
    url: str


def owner_of(member: Member, prefix: str) -> Owner:
    """Read a member's client id, `<prefix><instance>-<worker>`, with or without an address behind it."""
    name, _, url = member.client_id.partition(ADVERTISED)
    instance, _, worker = name.removeprefix(prefix).rpartition("-")
    return Owner(instance or name, worker, member.host, url if _WEB_ADDRESS.fullmatch(url) else "")


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
        return list(_members(self._described(group)))

    def describe(self, group: str) -> Group:
        """A group, whether it exists or not; asked again while its coordinator starts."""
        try:
            described = retry(lambda: self._described(group))
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise
            return Group(_NO_GROUP)
        state = described.state.name.lower().replace("_", " ")
        return Group(_NO_GROUP if state == "dead" else state, tuple(_members(described)))

    def _described(self, group: str) -> Any:
        try:
            return self._ask(group).result(self._timeout_seconds)
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {self._timeout_seconds:g} s") from error

    def _ask(self, group: str) -> Future[Any]:
        with self._lock:
            asked = self._asked.get(group)
            if asked is None or asked.done():
                futures = self._admin.describe_consumer_groups([group], request_timeout=_REQUEST_SECONDS)
                asked = self._asked[group] = futures[group]
            return asked


def _members(described: Any) -> Iterator[Member]:
    for member in described.members:
        partitions = frozenset((tp.topic, tp.partition) for tp in member.assignment.topic_partitions)
        yield Member(member.client_id, member.host.lstrip("/"), partitions)


def reason_of(error: KafkaException | TimeoutError) -> str:
    return error.args[0].str() if isinstance(error, KafkaException) else str(error)


class Membership:
    """Since when a member has been out of its group, and what Kafka has said last; pure.

    `topic` is what the group shares out.
    """

    def __init__(self, topic: str, clock: Clock) -> None:
        self._topic = topic
        self._clock = clock
        self._out: tuple[float, int] | None = None
        self._refusal = ""
        self._logged = -_OUT_LOG_SECONDS
        self.group = ""

    def left(self) -> None:
        """The member is out: it has yet to join, or Kafka has put it out."""
        self._out = self._out or (self._clock.monotonic(), self._clock.now_ms())

    def entered(self) -> None:
        """The group has said what the member gets."""
        if self._out is not None and self._refusal:
            _log.info("in the group again", extra={"group": self.group})
        self._out, self._refusal, self._logged = None, "", -_OUT_LOG_SECONDS

    def refused(self, error: KafkaError) -> None:
        """What Kafka has said about the membership; the client tries again."""
        now = self._clock.monotonic()
        advice = _GROUP_ADVICE.get(error.code(), "look at the group and at the brokers")
        self._refusal = f"{error.str()}; {advice}"
        if now - self._logged >= _OUT_LOG_SECONDS:
            self._logged = now
            _log.warning("group refuses", extra={"group": self.group, "why": self._refusal})

    @property
    def obstacle(self) -> str:
        """The group that the member has been out of for ten seconds, and why; empty if it is in."""
        if self._out is None or self._clock.monotonic() - self._out[0] < _OUT_SECONDS:
            return ""
        why = self._refusal or "Kafka has not answered what it gets; look at the group and at the brokers"
        name = self.group or f"that shares out {self._topic}"
        return f"out of the group {name} since {utc(self._out[1])}: {why}"
