"""The console's data: made when a page asks, at most once a second for all who look, and never otherwise."""

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaException

from wallaroo.kafka.members import owner_of, reason_of
from wallaroo.observability.console.snapshot import Identity, Moment, WorkerSeen, encoded
from wallaroo.service.owners import Members
from wallaroo.service.supervisor import Supervisor
from wallaroo.settings import Settings
from wallaroo.topology.model import SubTopology, Topology
from wallaroo.version import installed_version

# A little less than the second in which a page asks again.
_SNAPSHOT_MS = 900
# Kafka is asked once for each group.
_INSTANCES_MS = 9_000


class Kept:
    """What `make` returned last, for as long as it is new enough; one thread makes it, the others wait."""

    def __init__(self, make: Callable[[], Any], lasts_ms: int, now_ms: Callable[[], int]) -> None:
        self._make = make
        self._lasts_ms = lasts_ms
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._made_ms: int | None = None
        self._value: Any = None

    def __call__(self) -> Any:
        with self._lock:
            now = self._now_ms()
            # The time of day may be set back.
            if self._made_ms is None or not 0 <= now - self._made_ms < self._lasts_ms:
                self._value, self._made_ms = self._make(), now
            return self._value


class Console:
    """What the page asks for: `snapshot` as JSON, which waits for nobody, and `instances`, told by Kafka."""

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        supervisor: Supervisor,
        instance: str,
        members: Members,
        now_ms: Callable[[], int],
    ) -> None:
        self._topology = topology
        self._supervisor = supervisor
        self._members = members
        self._now_ms = now_ms
        self.identity = Identity(
            application=topology.application_id,
            instance=instance,
            version=installed_version(),
            librdkafka=confluent_kafka.libversion()[0],
            python=".".join(map(str, sys.version_info[:3])),
            started_ms=now_ms(),
            shows_state=settings.shows_state,
        )
        self.snapshot = Kept(self._snapshot, _SNAPSHOT_MS, now_ms)
        self.instances = Kept(self._instances, _INSTANCES_MS, now_ms)

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
