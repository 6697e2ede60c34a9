"""A worker that notes, for every commit, how far it is and what it has used; and each phase's share.

Nothing of it runs per record: the phases are clocked per slice and per commit.
"""

import functools
import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from wallaroo.engine import clients, transaction
from wallaroo.engine.loop import Loop
from wallaroo.service import worker
from wallaroo.service.protocol import WorkerSpec
from wallaroo.task.task import Task

# Where the notes go; set in the supervisor's environment, since the worker is another process.
FILE_VARIABLE = "WALLAROO_BENCHMARK_NOTES"

# What is clocked, and as which phase.
CLOCKED = [
    (Loop, "_poll", "consume"),
    (Task, "process", "process"),
    (Task, "collect", "encode state"),
    (transaction, "produce_all", "produce"),
]


def main(spec: WorkerSpec, connection: Connection) -> None:
    # Unbuffered: the commits of two sub-topologies write to it from two threads.
    notes = Path(os.environ[FILE_VARIABLE]).open("wb", buffering=0)  # noqa: SIM115 - as long as the process
    phases: Counter[str] = Counter()
    for owner, name, phase in CLOCKED:
        _clock(owner, name, phase, phases)
    clients.exactly_once = _noting(clients.exactly_once, notes, phases)
    worker.main(spec, connection)


def _clock(owner: Any, name: str, phase: str, phases: Counter[str]) -> None:
    function = getattr(owner, name)

    @functools.wraps(function)
    def clocked(*args: Any) -> Any:
        before = time.thread_time()
        try:
            return function(*args)
        finally:
            phases[phase] += time.thread_time() - before

    setattr(owner, name, clocked)


def _noting(make: Callable[..., Any], notes: Any, phases: Counter[str]) -> Callable[..., Any]:
    def making(*args: Any) -> Any:
        write = make(*args)

        def writing(batches: Any) -> Any:
            before, produced = time.thread_time(), phases["produce"]
            result = write(batches)
            phases["commit"] += time.thread_time() - before - (phases["produce"] - produced)
            notes.write(json.dumps(_note(batches, phases)).encode() + b"\n")
            return result

        return writing

    return making


def _note(commit: Any, phases: Counter[str]) -> dict[str, Any]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "topic": commit.batches[0].partition.topic,
        "records": sum(batch.records for batch in commit.batches),
        "changes": sum(len(c.values) for batch in commit.batches for c in batch.changes),
        "outputs": sum(len(batch.outputs) for batch in commit.batches),
        "wall_seconds": time.perf_counter(),
        "cpu_seconds": time.process_time(),
        "peak_mib": usage.ru_maxrss / 1024,
        "phases": dict(phases),
    }
