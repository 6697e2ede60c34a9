"""WorkerHandle: one worker process as its supervisor sees it."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from wallaroo.clock import Clock
from wallaroo.engine.pacing import Backoff
from wallaroo.observability.health import WorkerStatus
from wallaroo.observability.measurements import Snapshot
from wallaroo.service.protocol import Request, StatusReply, StatusRequest, WorkerSpec
from wallaroo.service.questions import Answer, Questions

# librdkafka's threads do not survive a fork.
_processes = multiprocessing.get_context("spawn")

# How long a page waits for all workers together.
ANSWER_SECONDS = 2.0
# A variable of Python's.
_SAFE_PATH = "PYTHONSAFEPATH"

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
        self._status: StatusReply | None = None
        self._start()

    def _start(self) -> None:
        self._keep_uncommitted()
        ours, theirs = _processes.Pipe()
        name = f"wallaroo-worker-{self.spec.index}"
        self.process: SpawnProcess = _processes.Process(
            target=self._main,
            args=(replace(self.spec, restarts=self.restarts), theirs),
            name=name,
            # A daemon could not have processes of its own, such as an application's pool.
            daemon=False,
        )
        with _only_installed_modules():
            self.process.start()
        theirs.close()
        self._questions = Questions(ours, name)
        self._status_answer: Answer | None = None
        self._status = None
        self.measured: Snapshot = {}
        self._started = self._asked = self._last_answer = self._clock.monotonic()
        self._restart_at: float | None = None

    def _keep_uncommitted(self) -> None:
        """What the last worker could not commit is for the next one to say; it may have had no time to."""
        if self._status is not None:
            loops = {loop.name: loop.uncommitted for loop in self._status.loops if loop.uncommitted}
            self.spec = replace(self.spec, uncommitted=loops)

    def died(self) -> None:
        """Note a death, so that `restart_due` knows when to start again."""
        now = self._clock.monotonic()
        self.backoff = self.backoff.after_failure(now - self._started)
        self._restart_at = now + self.backoff.seconds
        self._questions.end()

    @property
    def noted_as_dead(self) -> bool:
        return self._restart_at is not None

    @property
    def restart_due(self) -> bool:
        return self._restart_at is not None and self._clock.monotonic() >= self._restart_at

    def restart(self) -> None:
        self.restarts += 1
        self._start()

    def ask(self, request: Request) -> Answer:
        """The worker's answer, once it comes; None where there will be none."""
        return self._questions.ask(request)

    def ask_status(self) -> Answer:
        """Ask for status and measurements, which are kept; whoever asks before the answer shares it."""
        with self._asking:
            answer = self._status_answer
            if answer is None or answer.done():
                self._asked = self._clock.monotonic()
                answer = self._status_answer = self.ask(StatusRequest())
                answer.add_done_callback(self._keep)
        return answer

    def _keep(self, answer: Answer) -> None:
        reply = answer.result()
        if isinstance(reply, StatusReply):
            self._status = reply
            self.measured = reply.measured
            self._last_answer = self._clock.monotonic()

    @property
    def answer_age_seconds(self) -> float:
        """How long ago the last answer came, or the worker was started if there is none yet."""
        return self._clock.monotonic() - self._last_answer

    @property
    def is_silent(self) -> bool:
        """Whether it owes an answer for so long that nobody else needs to wait for it."""
        answer = self._status_answer
        owes = answer is not None and not answer.done()
        return owes and self._clock.monotonic() - self._asked >= ANSWER_SECONDS

    @property
    def has_answered(self) -> bool:
        return self._status is not None

    def status(self) -> WorkerStatus:
        loops = self._status.loops if self._status else ()
        alive = self.process.is_alive()
        return WorkerStatus(self.spec.index, alive, self._last_answer, self._status is not None, loops)


@contextmanager
def _only_installed_modules() -> Iterator[None]:
    """Let a new process look for no module in the working directory before it is told the path.

    An application's file there may be called like a module of the standard library.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
