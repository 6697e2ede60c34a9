"""`wallaroo run`, but its workers kill themselves at named points of a commit or a restore.

The environment variable FAULTS names one fault for each life of a worker, for example
`after_offsets:3,during_restore:1`: the first life ends at the third passage of that point, the second at
the first passage of the other one, and the third lives on. FAULTS_FOLDER is where lives are counted.
With FAULTS_VICTIM=service the supervisor dies as well, so that nobody starts the worker again.
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from wallaroo.cli.options import parse
from wallaroo.engine.transaction import ProbePoint
from wallaroo.observability import logging as log_setup
from wallaroo.service import worker
from wallaroo.service.application import load
from wallaroo.service.protocol import WorkerSpec
from wallaroo.service.service import Service


def main(argv: list[str]) -> int:
    """Run until stopped; returns the exit code."""
    command = parse(argv)
    settings, program = command.settings, command.program
    log_setup.configure(settings.log_level, settings.log_format)
    topology = load(program.module, program.args, settings.application_id, settings.chosen_servers).topology
    return Service(program, topology, settings, worker_main=faulty_worker).run()


def faulty_worker(spec: WorkerSpec, connection: Connection) -> None:
    """A worker process whose life ends as FAULTS says."""
    worker.main(spec, connection, _probe(spec.index))


def _probe(worker_index: int) -> Callable[[ProbePoint], None]:
    faults = [fault.split(":") for fault in os.environ["FAULTS"].split(",")]
    life = _lives(worker_index)
    if life >= len(faults):
        return lambda _point: None
    return _fatal(ProbePoint(faults[life][0]), int(faults[life][1]))


def _lives(worker_index: int) -> int:
    """How many lives this worker has behind it."""
    counter = Path(os.environ["FAULTS_FOLDER"]) / f"lives-{worker_index}"
    with counter.open("ab") as file:
        file.write(b"x")
        return file.tell() - 1


def _fatal(wanted: ProbePoint, passage: int) -> Callable[[ProbePoint], None]:
    passages: Counter[ProbePoint] = Counter()
    lock = threading.Lock()

    def at(point: ProbePoint) -> None:
        with lock:
            passages[point] += 1
            if point is wanted and passages[point] == passage:
                _die()

    return at


def _die() -> None:
    if os.environ.get("FAULTS_VICTIM") == "service":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
