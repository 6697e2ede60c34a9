"""A worker process: a thread for every loop, and the main thread answers the supervisor."""

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from multiprocessing.connection import Connection
from typing import NoReturn

from wallaroo.clock import Clock
from wallaroo.engine.lag_meter import new_lag_meter
from wallaroo.engine.transaction import Probe, no_probe
from wallaroo.engine.user_thread import new_user_thread
from wallaroo.errors import (
    ApplicationError,
    KafkaSetupError,
    SettingsError,
    StopProcessing,
    StoredValueError,
    TopologyError,
    WallarooError,
    class_name_of,
    text_of,
)
from wallaroo.kafka.errors import OWN_CONNECTIONS, missing_permission
from wallaroo.observability import logging as log_setup
from wallaroo.service.application import load
from wallaroo.service.assemble import WorkerContext, build_loops
from wallaroo.service.assemble_connectors import build_deliveries, build_generators, build_ingests
from wallaroo.service.protocol import (
    Exit,
    ExitReason,
    Reply,
    Request,
    Runnable,
    StateRequest,
    WorkerSpec,
    status_reply,
)
from wallaroo.service.queries import look_up_state

_log = logging.getLogger(__name__)

_LISTEN_SECONDS = 0.1
_PARENT_SECONDS = 1.0
# Records are short-lived tracked objects: the default threshold costs a quarter of the time.
_GC_THRESHOLD = 50_000


def main(spec: WorkerSpec, connection: Connection, probe: Probe = no_probe) -> None:
    """Run until told to stop, by SIGTERM or by the supervisor's end; leaves with an `Exit` code."""
    stopping = threading.Event()
    _heed_signals(stopping)
    os.register_at_fork(after_in_child=_in_forked_process)
    settings = spec.settings
    log_setup.configure(settings.log_level, settings.log_format, settings.secrets, worker=spec.index)
    log_setup.set_application(spec.application_id)
    gc.set_threshold(_GC_THRESHOLD, 20, 20)
    try:
        loaded = load(spec.module, spec.args, spec.application_id, settings.chosen_servers)
        # What the application's modules have done as they were imported: handlers of signals, logging.
        _heed_signals(stopping)
        log_setup.keep()
        spec.check(loaded.topology)
        context = WorkerContext(spec, loaded, probe)
        loops = build_loops(context)
        others: list[Runnable] = [*build_ingests(context), *build_generators(context)]
        deliveries = build_deliveries(context)
        others += deliveries
        for loop in (*loops, *others):
            loop.resume(spec.uncommitted.get(loop.name))
        lag_id = context.identity.member_id("lag")
        new_lag_meter([*loops, *deliveries], settings, lag_id, context.clock).start()
        worker = Worker([*loops, *others], partial(look_up_state, loops), context.clock)
        code, why = worker.run(connection, stopping), worker.why
    except (SettingsError, TopologyError) as error:
        _log.error("refused", extra={"error": str(error)})
        code, why = Exit.REFUSED, str(error)
    except ApplicationError as error:
        log_setup.keep()
        _log.error("application failed", extra={"error": str(error)})
        # Later on what it needs may only be away for a moment.
        code, why = Exit.CRASHED if spec.restarts else Exit.REFUSED, str(error)
    # The supervisor may be gone.
    with suppress(OSError):
        connection.send(ExitReason(why))
    leave(code)


def leave(code: int) -> NoReturn:
    """End this process now, and the processes of the application's own pools with it.

    Threads are not waited for: those of clients may outlive a failure, those of the application everything.
    """
    for child in multiprocessing.active_children():
        # Forked from here, it would take SIGTERM as this process does.
        child.kill()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _in_forked_process() -> None:
    """A process of an application takes SIGTERM as usual, and does not outlive a worker that is killed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_SECONDS)
    os._exit(Exit.CRASHED)


def _heed_signals(stopping: threading.Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stopping.set())


class Worker:
    """Runs the loops of one process.

    Once it is told to stop, all loops together have `stopped_seconds` to end; if one of them has failed,
    `failed_seconds`: the others may hang for the same reason, and the supervisor restarts the worker.
    """

    def __init__(
        self,
        loops: Sequence[Runnable],
        look_up: Callable[[StateRequest], Reply],
        clock: Clock,
        stopped_seconds: float = 25.0,
        failed_seconds: float = 5.0,
    ) -> None:
        self._loops = loops
        self._look_up = look_up
        self._clock = clock
        self._stopped_seconds = stopped_seconds
        self._failed_seconds = failed_seconds
        self._failure: BaseException | None = None
        # Why it has ended, if a loop has failed; it goes to the supervisor.
        self.why = ""

    def run(self, connection: Connection, stopping: threading.Event) -> Exit:
        """Start everything, answer questions, and stop everything when asked or when one loop fails."""
        imported = copy_context()
        threads = [new_user_thread(loop.name, imported, self._run, loop) for loop in self._loops]
        for thread in threads:
            thread.start()
        while not stopping.is_set() and self._failure is None:
            log_setup.keep()
            if not self._answer_one(connection):
                break
        for loop in self._loops:
            loop.stop()
        return self._exit(self._join(threads))

    def _run(self, loop: Runnable) -> None:
        try:
            loop.run()
        except BaseException as error:
            failure = missing_permission(error) or error
            # The first one decides: the others may fail because everything stops.
            self._failure = self._failure or failure
            known = isinstance(failure, WallarooError)
            text = str(failure) if known else f"{class_name_of(failure)}: {text_of(failure)}"
            self.why = self.why or f"loop {loop.name!r} failed: {text}"
            details = {"loop": loop.name, "error": str(failure)}
            _log.error("loop failed", extra=details, exc_info=None if known else failure)

    def _join(self, threads: Sequence[threading.Thread]) -> bool:
        """Wait for the threads; False if one of them does not end in time."""
        began = self._clock.monotonic()
        while alive := [thread for thread in threads if thread.is_alive()]:
            waited = self._clock.monotonic() - began
            limit = self._failed_seconds if self._failure else self._stopped_seconds
            if waited >= limit:
                _log.error("loops do not stop", extra={"loops": [t.name for t in alive], "seconds": waited})
                return False
            alive[0].join(min(_LISTEN_SECONDS, limit - waited))
        return True

    def _exit(self, all_ended: bool) -> Exit:
        if isinstance(self._failure, StopProcessing):
            return Exit.STOPPED
        if isinstance(self._failure, KafkaSetupError | SettingsError | StoredValueError):
            return Exit.REFUSED
        return Exit.CLEAN if all_ended and self._failure is None else Exit.CRASHED

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
            return self._look_up(request)
        troubles = tuple(OWN_CONNECTIONS.troubles(self._clock.monotonic()))
        return status_reply(self._loops, troubles)
