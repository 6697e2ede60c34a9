"""Whether a run is finished: no lag, everything there, no open transaction, and what the states are."""

import json
import pickle
import re
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from confluent_kafka import Consumer, IsolationLevel
from confluent_kafka.admin import AdminClient

from tests.faults.shapes import Shape
from tests.kafka.cluster import end_offsets, read_topic
from tests.kafka.lost_ends import Place
from tests.kafka.scenario import Scenario
from tests.kafka.service import ServiceProcess
from wallaroo.engine.hole import committed_offsets
from wallaroo.record import Partition
from wallaroo.state.store import POSITION_KEY
from wallaroo.topology.compile import compile_topology

_GRACE_SECONDS = 45.0
_QUIET_SECONDS = 1.0
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


class Progress:
    """Of the groups of an application, through everything that its topics hold."""

    def __init__(self, scenario: Scenario, shape: Shape) -> None:
        arguments = [
            f"--in-topic={scenario.in_topic}",
            f"--out-topic={scenario.out_topic}",
            *scenario.arguments,
        ]
        application = import_module(scenario.application).application_setup(arguments)
        topology = compile_topology(application, scenario.application_id)
        read = [(sub.group, each.topic) for sub in topology.sub_topologies for each in sub.inputs]
        self._read = [*read, *((each.group, each.outbox) for each in topology.deliveries)]
        self._scenario = scenario
        self._groups = {group: _asking(scenario.servers, group) for group, _ in self._read}
        self._expected = shape.expected(read_topic(scenario.servers, scenario.in_topic)).count
        self._since: float | None = None

    def is_done(self, found: Callable[[], int]) -> bool:
        """No lag, and as many results as expected; if those do not come, it is over soon as well."""
        if self.lags():
            self._since = None
            return False
        now = time.monotonic()
        self._since = self._since or now
        quiet = now - self._since
        if quiet > _QUIET_SECONDS and found() >= self._expected:
            return True
        # A generator has no group that says how far it is.
        return bool(self._read) and quiet > _GRACE_SECONDS

    def lags(self) -> Mapping[str, int]:
        """By group, how many partitions have not been read to their end."""
        behind = {group: self._behind(group, topic) for group, topic in self._read}
        return {group: number for group, number in behind.items() if number}

    def close(self) -> None:
        for consumer in self._groups.values():
            consumer.close()

    def _behind(self, group: str, topic: str) -> int:
        ends: dict[int, int] = {}
        for message in self._scenario.tail(topic).read():
            ends[message.partition()] = message.offset() + 1
        places = [Partition(topic, number) for number in ends]
        if not places:
            return 0
        found = committed_offsets(self._groups[group], places)
        return sum(offset < ends[at.number] for at, offset in found.items())


def open_places(scenario: Scenario) -> set[Place]:
    """The partitions of an application in which a transaction is open."""
    admin = AdminClient({"bootstrap.servers": scenario.servers, "log_level": 0})
    found = set()
    for topic in admin.list_topics(timeout=20).topics:
        if not topic.startswith(scenario.application_id):
            continue
        ends = end_offsets(scenario.servers, topic, IsolationLevel.READ_UNCOMMITTED)
        stable = end_offsets(scenario.servers, topic, IsolationLevel.READ_COMMITTED)
        found |= {(topic, number) for number, end in ends.items() if stable[number] < end}
    return found


def memory_mib(service: ServiceProcess) -> int:
    """What the largest of its workers holds."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in service.worker_pids()]
    return max((int(_RESIDENT.findall(status)[0]) // 1024 for status in statuses), default=0)


def states_in(scenario: Scenario) -> Mapping[str, object]:
    """The last state of every user, as the changelog has it."""
    last = {m.key(): m.value() for m in read_topic(scenario.servers, scenario.changelog)}
    return {
        key.decode(): _fields(value)
        for key, value in last.items()
        if key != POSITION_KEY and value is not None
    }


def _fields(value: bytes) -> list[int]:
    # A release whose state has a list pickles it.
    state = pickle.loads(value[2:]) if value.startswith(b"1D") else json.loads(value[2:])  # noqa: S301
    return [state["changes"], state["total"]]


def _asking(servers: str, group: str) -> Consumer:
    return Consumer({"bootstrap.servers": servers, "group.id": group, "log_level": 0})
