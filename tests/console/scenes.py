"""What a service would say of itself, without one: the real pages, fed with moments that a test chooses."""

import json
import math
from bisect import bisect_left
from dataclasses import dataclass, replace

from tests.console.made_records import MadeRecords
from wallaroo.observability import metrics
from wallaroo.observability.answers import NoSuchKey, StateFound
from wallaroo.observability.console.snapshot import Identity, Moment, WorkerSeen, encoded
from wallaroo.observability.health import LoopStatus, WorkerStatus, health, readiness
from wallaroo.observability.http import PageSources
from wallaroo.observability.measurements import Distribution, Measurements
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.describe import describe
from wallaroo.topology.steps import Stateful

BASE_MS = 1_796_103_000_000
WORKERS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes on: how many partitions there are, how fast time passes, and what is wrong."""

    partitions: int = 64
    seconds_a_turn: float = 1.0
    dead_worker: int | None = None
    restoring: int = 0
    failing: str = ""
    behind: int = 0
    slow: str = ""


class Scene:
    """A made-up service of one application; `plan` may be replaced while it is looked at."""

    def __init__(self, application, plan):
        self.plan = plan
        self.topology = compile_topology(application)
        self.turn = 0
        self.records = MadeRecords()
        self.elsewhere = {"instances": [], "problem": None}
        name = self.topology.application_id
        self._identity = Identity(name, "host-1", "0.1.0", "2.16.0", "3.13.1", BASE_MS - 11_570_000, True)

    def sources(self):
        """What the pages ask."""
        return PageSources(
            metrics=lambda _accept: ("text/plain", b""),
            health=lambda: self._reports()[1],
            readiness=lambda: self._reports()[0],
            topology=lambda wanted: describe(self.topology, wanted),
            state=self._state,
            instance="host-1",
            console=self._snapshot,
            instances=lambda: json.dumps(self.elsewhere).encode(),
            console_records=self.records,
        )

    def _state(self, stage, key):
        if key == b"nobody":
            return NoSuchKey()
        return StateFound(3, 1, {"stage": stage, "key": key, "total": 2**70, "tags": [], "last": {"n": 1}})

    def _snapshot(self):
        self.turn += 1
        seconds = self.turn * self.plan.seconds_a_turn
        workers = self._workers(seconds)
        ready, healthy = self._reports()
        measured = [(str(index), self._measured(index, seconds)) for index in range(WORKERS)]
        now = BASE_MS + round(seconds * 1000)
        return encoded(Moment(now, self._identity, ready, healthy, workers, measured))

    def _reports(self):
        statuses = [worker.status for worker in self._workers(self.turn * self.plan.seconds_a_turn)]
        return readiness(statuses, 0.0), health(statuses, 0.0)

    def _workers(self, seconds):
        found = []
        for index in range(WORKERS):
            loops = tuple(
                LoopStatus(
                    sub.name,
                    True,
                    len(self._numbers(index)),
                    self.plan.restoring if sub.steps and index == 0 else 0,
                    True,
                    None,
                    self.plan.slow if at == 0 and index == 0 else "",
                )
                for at, sub in enumerate(self.topology.sub_topologies)
            )
            status = WorkerStatus(index, True, 0.0, True, loops)
            if index == self.plan.dead_worker:
                status = replace(status, alive=False, last_death="killed by SIGKILL", deaths=1)
            restarts = 2 if index == self.plan.dead_worker else 0
            found.append(WorkerSeen(status, restarts, 0.1, 11_570 + seconds))
        return found

    def _numbers(self, worker):
        return [number for number in range(self.plan.partitions) if number % WORKERS == worker]

    def _measured(self, worker, seconds):
        values = Measurements()
        numbers = self._numbers(worker)
        for at, sub in enumerate(self.topology.sub_topologies):
            done = 1000 + max(0, math.floor(seconds * (9 + at) + 60 * math.sin(seconds / 45 + at)))
            for number in numbers:
                values.count(metrics.RECORDS_PROCESSED, done, sub.name, number)
                lag = self.plan.behind * seconds if at == 1 else (number * 7 + self.turn * self.turn) % 11 % 4
                values.set(metrics.CONSUMER_LAG, round(lag), sub.name, sub.input.topic, number)
            self._observe(values, sub.name, seconds)
            values.set(metrics.ASSIGNED_PARTITIONS, len(numbers), sub.name)
            values.count(metrics.COMMITS, self.turn, sub.name, "committed")
            for target in sub.targets:
                values.count(metrics.RECORDS_PRODUCED, done * len(numbers), target.topic)
            for step in sub.steps:
                if isinstance(step, Stateful):
                    values.set(metrics.STATE_ENTRIES, 12_000 + at, step.store.name, worker)
                    left = self.plan.restoring * max(0, 4000 - 40 * self.turn) if worker == 0 else 0
                    values.set(metrics.RESTORE_REMAINING, left, step.store.name, 0)
        if self.plan.failing and worker == 1:
            values.count(metrics.DEAD_LETTERS, self.turn, self.plan.failing, "ValueError")
        return values.snapshot()

    def _observe(self, values, name, seconds):
        """Many observations of few latencies, which wave a little."""
        slow = 1 + 0.5 * math.sin(seconds / 60)
        for metric, scale in (
            (metrics.END_TO_END_LATENCY, 1),
            (metrics.PROCESS_DURATION, 0.02),
            (metrics.COMMIT_DURATION, 0.4),
        ):
            counts = [0] * (len(metric.buckets) + 1)
            for seen, count in ((0.004, 60), (0.018, 30), (0.07, 8), (0.4, slow)):
                counts[bisect_left(metric.buckets, seen * scale)] += math.floor(count * seconds)
            values._distributions[metric.name, (name,)] = Distribution(tuple(counts), 1.0)
