"""A worker process: a thread for every loop, and the main thread answers the supervisor."""

import gc
import logging
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from wallaroo.clock import Clock, SystemClock
from wallaroo.engine.loop import Loop
from wallaroo.engine.transaction import Probe, no_probe
from wallaroo.errors import KafkaSetupError, SettingsError, StopProcessing, TopologyError, WallarooError
from wallaroo.kafka.errors import missing_permission
from wallaroo.observability import logging as log_setup
from wallaroo.observability.answers import NoSuchKey, StateAnswer, StateFound, StateUnavailable
from wallaroo.observability.jsonable import to_jsonable
from wallaroo.observability.measurements import merged
from wallaroo.service.application import load
from wallaroo.service.assemble import build_loops
from wallaroo.service.assemble_deliveries import build_deliveries
from wallaroo.service.assemble_sources import build_generators, build_ingests
from wallaroo.service.protocol import Exit, Reply, Request, Runnable, StateRequest, StatusReply, WorkerSpec

_log = logging.getLogger(__name__)

_LISTEN_SECONDS = 0.1
# Records are tracked objects and short-lived: the default threshold collects a quarter of the time away.
_GC_THRESHOLD = 50_000


@dataclass(frozen=True, slots=True)
class Grace:
    """How long the loops have to end, all of them together."""

    stopped_seconds: float = 25.0
    # Where one has failed, another one may hang in the same trouble, and the supervisor is to start anew.
    failed_seconds: float = 5.0


def main(spec: WorkerSpec, connection: Connection, probe: Probe = no_probe) -> None:
    """Run until told to stop, by SIGTERM or by the supervisor's end; leaves with an `Exit` code."""
    stopping = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stopping.set())
    settings = spec.settings
    log_setup.configure(settings.log_level, settings.log_format, worker=spec.index)
    gc.set_threshold(_GC_THRESHOLD, 20, 20)
    try:
        loaded = load(spec.module, spec.args, spec.application_id, spec.settings.chosen_servers)
        edges: list[Runnable] = [*build_ingests(spec, loaded), *build_generators(spec, loaded, probe)]
        edges += build_deliveries(spec, loaded)
        worker = Worker(build_loops(spec, loaded, probe), edges, Grace(), SystemClock())
        code = worker.run(connection, stopping)
    except (SettingsError, TopologyError) as error:
        _log.error("refused", extra={"error": str(error)})
        code = Exit.REFUSED
    logging.shutdown()
    # Client threads may outlive a failure; nothing of theirs is worth waiting for.
    os._exit(code)


class Worker:
    """The loops of one process: those of its sub-topologies, and others at the edges."""

    def __init__(self, loops: Sequence[Loop], others: Sequence[Runnable], grace: Grace, clock: Clock) -> None:
        self._loops = loops
        self._grace = grace
        self._clock = clock
        self._running: list[Runnable] = [*loops, *others]
        self._failure: BaseException | None = None

    def run(self, connection: Connection, stopping: threading.Event) -> Exit:
        """Start everything, answer questions, and stop everything when asked or when one loop fails."""
        threads = [
            threading.Thread(target=self._run, args=(runnable,), name=runnable.name, daemon=True)
            for runnable in self._running
        ]
        for thread in threads:
            thread.start()
        while not stopping.is_set() and self._failure is None:
            if not self._answer_one(connection):
                break
        for runnable in self._running:
            runnable.stop()
        return self._exit(self._hang(threads))

    def _run(self, runnable: Runnable) -> None:
        try:
            runnable.run()
        except BaseException as error:
            failure = missing_permission(error) or error
            # The first one decides: the others may fail because everything stops.
            self._failure = self._failure or failure
            known = isinstance(failure, WallarooError)
            details = {"loop": runnable.name, "error": str(failure)}
            _log.error("loop failed", extra=details, exc_info=None if known else failure)

    def _hang(self, threads: Sequence[threading.Thread]) -> bool:
        """Whether some thread does not end in time."""
        began = self._clock.monotonic()
        while alive := [thread for thread in threads if thread.is_alive()]:
            waited = self._clock.monotonic() - began
            if waited >= self._grace_seconds:
                _log.error("loops do not stop", extra={"loops": [t.name for t in alive], "seconds": waited})
                return True
            alive[0].join(min(_LISTEN_SECONDS, self._grace_seconds - waited))
        return False

    @property
    def _grace_seconds(self) -> float:
        return self._grace.failed_seconds if self._failure else self._grace.stopped_seconds

    def _exit(self, hanging: bool) -> Exit:
        if isinstance(self._failure, StopProcessing):
            return Exit.STOPPED
        if isinstance(self._failure, KafkaSetupError | SettingsError):
            return Exit.REFUSED
        return Exit.CRASHED if hanging or self._failure is not None else Exit.CLEAN

    def _answer_one(self, connection: Connection) -> bool:
        """Wait a moment for a question; False once the supervisor has gone."""
        try:
            if connection.poll(_LISTEN_SECONDS):
                connection.send(self._answer(connection.recv()))
        except (EOFError, OSError):
            _log.warning("supervisor gone", extra={"action": "stopping"})
            return False
        return True

    def _answer(self, request: Request) -> Reply:
        if isinstance(request, StateRequest):
            return self._state(request)
        measured = merged(runnable.metrics.values.snapshot() for runnable in self._running)
        return StatusReply(tuple(runnable.status() for runnable in self._running), measured)

    def _state(self, request: StateRequest) -> StateAnswer:
        restoring = False
        for loop in self._loops:
            restoring = restoring or bool(loop.restorer.restoring)
            for task in list(loop.tasks):
                store = task.stores.get(request.store)
                if store is not None and store.get(request.key) is not None:
                    return StateFound(task.partition.number, 0, to_jsonable(store.peek(request.key)))
        if restoring:
            return StateUnavailable("partitions are being restored; ask again in a moment")
        return NoSuchKey()
