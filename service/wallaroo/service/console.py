"""The console's data: made when a page asks, at most once a second for all who look, and never otherwise."""

import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

import confluent_kafka
from confluent_kafka import KafkaException

from wallaroo.clock import Clock
from wallaroo.kafka.members import owner_of, reason_of
from wallaroo.observability.console.snapshot import Identity, Moment, WorkerSeen, encoded
from wallaroo.observability.forward import ask_snapshot
from wallaroo.observability.token import Token
from wallaroo.service.cached import Cached
from wallaroo.service.own_topics import OwnTopics
from wallaroo.service.owners import Members
from wallaroo.service.supervisor import Supervisor
from wallaroo.settings import Settings
from wallaroo.topology.model import SubTopology, Topology
from wallaroo.version import installed_version

# A little less than the second in which a page asks again.
_SNAPSHOT_MS = 900
# Kafka is asked once for each group.
_INSTANCES_MS = 9_000
_MOST_ASKED_AT_ONCE = 8

AskInstance: TypeAlias = Callable[[str, str], tuple[Any, str]]
"""From the address and the name of an instance to its snapshot, or to why there is none."""


def identity_of(settings: Settings, topology: Topology, instance: str, now_ms: int) -> Identity:
    """What runs in this process, which began now."""
    return Identity(
        application=topology.application_id,
        instance=instance,
        version=installed_version(),
        librdkafka=confluent_kafka.libversion()[0],
        python=".".join(map(str, sys.version_info[:3])),
        started_ms=now_ms,
        shows_state=settings.shows_state,
    )


def console_of(
    topics: OwnTopics, supervisor: Supervisor, instance: str, token: Token | None, clock: Clock
) -> "Console":
    """The console of one instance, which asks the others with the token that all of them have."""
    identity = identity_of(topics.settings, topics.topology, instance, clock.now_ms())
    ask = partial(ask_snapshot, token)
    return Console(identity, topics.topology, supervisor, topics.members, ask, clock.now_ms)


class Console:
    """What the page asks for, as JSON: `snapshot`, which waits for nobody, and `instances`.

    Who the instances are Kafka says; what they show they are asked themselves.
    """

    def __init__(
        self,
        identity: Identity,
        topology: Topology,
        supervisor: Supervisor,
        members: Members,
        ask: AskInstance,
        now_ms: Callable[[], int],
    ) -> None:
        self.identity = identity
        self._topology = topology
        self._supervisor = supervisor
        self._members = members
        self._ask = ask
        self._now_ms = now_ms
        self.snapshot = Cached(self._snapshot, _SNAPSHOT_MS, now_ms)
        self._known = Cached(self._instances, _INSTANCES_MS, now_ms)
        self.instances = Cached(self._gather, _SNAPSHOT_MS, now_ms)

    def _snapshot(self) -> bytes:
        # The workers are not asked: the supervisor does that all the time, to know whether they live.
        supervisor = self._supervisor
        workers = [
            WorkerSeen(worker.status(), worker.restarts, worker.answer_age_seconds, worker.uptime_seconds)
            for worker in supervisor.workers
        ]
        return encoded(
            Moment(
                self._now_ms(),
                self.identity,
                supervisor.readiness(),
                supervisor.health(),
                workers,
                supervisor.measured(),
            )
        )

    def _gather(self) -> bytes:
        """Every instance, with what those show that can be asked, or why they do not."""
        known = self._known()
        asked = [each for each in known["instances"] if each["url"] and not each["is_this"]]
        answers: dict[str, tuple[Any, str]] = {}
        if asked:
            with ThreadPoolExecutor(_MOST_ASKED_AT_ONCE, "instances") as threads:
                found = threads.map(lambda each: self._ask(each["url"], each["name"]), asked)
                answers = {each["name"]: answer for each, answer in zip(asked, found, strict=True)}
        instances = []
        for each in known["instances"]:
            shown, problem = answers.get(each["name"], (None, ""))
            instances.append({**each, "snapshot": shown, "problem": problem})
        return json.dumps({**known, "instances": instances}, separators=(",", ":")).encode()

    def _instances(self) -> dict[str, Any]:
        """Who else runs this application, and what they own; `problem` says why that is not known."""
        found: dict[str, dict[str, Any]] = {}
        try:
            for sub in self._topology.sub_topologies:
                for owned in self._owned(sub):
                    self._add(found, owned)
        except (KafkaException, TimeoutError) as error:
            return {"instances": [], "problem": f"Kafka does not say who the others are: {reason_of(error)}"}
        return {"instances": [found[name] for name in sorted(found)], "problem": None}

    def _owned(self, sub: SubTopology) -> Iterable[dict[str, Any]]:
        prefix = f"{self._topology.application_id}-{sub.name}-"
        for member in self._members(sub.group):
            owner = owner_of(member, prefix)
            numbers = sorted(number for _, number in member.partitions)
            yield {"owner": owner, "sub_topology": sub.name, "worker": owner.worker, "partitions": numbers}

    def _add(self, found: dict[str, dict[str, Any]], owned: dict[str, Any]) -> None:
        owner = owned.pop("owner")
        instance = found.setdefault(
            owner.instance,
            {
                "name": owner.instance,
                "host": owner.host,
                "url": owner.url,
                "is_this": owner.instance == self.identity.instance,
                "owns": [],
            },
        )
        instance["url"] = instance["url"] or owner.url
        instance["owns"].append(owned)
