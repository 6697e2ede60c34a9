"""WorkerHandle: one worker process as its supervisor sees it."""

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from wallaroo.clock import Clock
from wallaroo.engine.pacing import Backoff
from wallaroo.observability.health import WorkerStatus
from wallaroo.observability.measurements import Snapshot
from wallaroo.service.protocol import Reply, Request, StatusReply, StatusRequest, WorkerSpec

# librdkafka's threads do not survive a fork.
_processes = multiprocessing.get_context("spawn")

WorkerMain = Callable[[WorkerSpec, Connection], None]


class WorkerHandle:
    """Starts, asks, stops and restarts one worker; asking is safe from several threads."""

    def __init__(self, spec: WorkerSpec, main: WorkerMain, clock: Clock) -> None:
        self.spec = spec
        self.backoff = Backoff()
        self.restarts = 0
        self._main = main
        self._clock = clock
        self._asking = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._connection, theirs = _processes.Pipe()
        self.process: SpawnProcess = _processes.Process(
            target=self._main,
            args=(self.spec, theirs),
            name=f"wallaroo-worker-{self.spec.index}",
            daemon=True,
        )
        self.process.start()
        theirs.close()
        self._unanswered = 0
        self._status: StatusReply | None = None
        self.measured: Snapshot = {}
        self._started = self._last_answer = self._clock.monotonic()
        self._restart_at: float | None = None

    def died(self) -> None:
        """Note a death, so that `restart_due` knows when to start again."""
        now = self._clock.monotonic()
        self.backoff = self.backoff.after_failure(now - self._started)
        self._restart_at = now + self.backoff.seconds
        with self._asking:
            self._connection.close()

    @property
    def noted_as_dead(self) -> bool:
        return self._restart_at is not None

    @property
    def restart_due(self) -> bool:
        return self._restart_at is not None and self._clock.monotonic() >= self._restart_at

    def restart(self) -> None:
        self.restarts += 1
        with self._asking:
            self._start()

    def ask(self, request: Request, timeout_seconds: float) -> Reply | None:
        """The worker's answer, or None if it has none in time."""
        if not self._asking.acquire(timeout=timeout_seconds):
            return None
        try:
            return self._ask(request, self._clock.monotonic() + timeout_seconds)
        except (OSError, EOFError):
            return None
        finally:
            self._asking.release()

    def _ask(self, request: Request, deadline: float) -> Reply | None:
        """Answers come in the order of the questions: late ones to earlier questions come first."""
        while self._unanswered:
            if self._answer(deadline) is None:
                # One more question would only fill the pipe of a worker that hangs.
                return None
        self._connection.send(request)
        self._unanswered += 1
        return self._answer(deadline)

    def _answer(self, deadline: float) -> Reply | None:
        if not self._connection.poll(max(0.0, deadline - self._clock.monotonic())):
            return None
        reply: Reply = self._connection.recv()
        self._unanswered -= 1
        return reply

    def refresh(self, timeout_seconds: float) -> None:
        """Ask for status and measurements, and keep the last answer."""
        reply = self.ask(StatusRequest(), timeout_seconds)
        if isinstance(reply, StatusReply):
            self._status = reply
            self.measured = reply.measured
            self._last_answer = self._clock.monotonic()

    def status(self) -> WorkerStatus:
        loops = self._status.loops if self._status else ()
        alive = self.process.is_alive()
        return WorkerStatus(self.spec.index, alive, self._last_answer, self._status is not None, loops)
