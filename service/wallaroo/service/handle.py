"""WorkerHandle: one worker process as its supervisor sees it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from zlib import crc32

from wallaroo.clock import Clock
from wallaroo.engine.pacing import STABLE_SECONDS, Backoff
from wallaroo.kafka.connections import Trouble
from wallaroo.observability.health import WorkerStatus
from wallaroo.observability.measurements import Snapshot
from wallaroo.service.protocol import Request, StatusReply, StatusRequest, WorkerSpec
from wallaroo.service.questions import Answer, Questions

# librdkafka's threads do not survive a fork.
_processes = multiprocessing.get_context("spawn")

# How long a page waits for all workers together.
ANSWER_SECONDS = 2.0
# Processes of the application's own may hold the pipe open.
_EXIT_REASON_SECONDS = 1.0
# Without it, `hash` of a text differs from process to process: a key made of it would be another one.
_HASH_SEED = "PYTHONHASHSEED"

WorkerMain = Callable[[WorkerSpec, Connection], None]


class WorkerHandle:
    """Starts, asks, stops and restarts one worker; asking is safe from several threads."""

    def __init__(self, spec: WorkerSpec, main: WorkerMain, clock: Clock) -> None:
        self.spec = spec
        self.backoff = Backoff()
        self.restarts = 0
        # Of deaths in a row, each soon after a start: how many, the first one, and what the last one was.
        self.deaths = 0
        self.last_death = ""
        self._failing_since = 0.0
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
        with _environment(_environment_of(self.spec)):
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
        if now - self._started >= STABLE_SECONDS or not self.deaths:
            self.deaths, self._failing_since = 0, now
        self.deaths += 1
        self.last_death = self.how_it_ended()
        self.backoff = self.backoff.after_failure(now - self._started)
        self._restart_at = now + self.backoff.seconds
        self._questions.end()

    def how_it_ended(self) -> str:
        """The exit code of a process that has ended, or the signal that ended it, and why."""
        code, questions = self.process.exitcode, self._questions
        questions.await_end(_EXIT_REASON_SECONDS)
        how = f"exit code {code}" if code is None or code >= 0 else f"killed by {_signal_name(-code)}"
        return f"{how}: {questions.exit_reason}" if questions.exit_reason else how

    @property
    def troubles(self) -> Sequence[Trouble]:
        """The brokers that its clients cannot use, as it last said."""
        return self._status.troubles if self._status and self.process.is_alive() else ()

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
    def uptime_seconds(self) -> float:
        """How long ago its process was started last."""
        return self._clock.monotonic() - self._started

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
        now = self._clock.monotonic()
        is_stable = alive and now - self._started >= STABLE_SECONDS
        deaths = 0 if is_stable else self.deaths
        return WorkerStatus(
            self.spec.index,
            alive,
            self._last_answer,
            self._status is not None,
            loops,
            deaths=deaths,
            failing_since=self._failing_since,
            started=self._started,
            last_death=self.last_death,
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def hash_seed_of(application_id: str) -> str:
    """The seed of `hash` in all workers of an application, wherever and whenever they start."""
    return str(crc32(application_id.encode(errors="surrogatepass")))


def _environment_of(spec: WorkerSpec) -> dict[str, str]:
    """The variables of Python's that a worker is started with."""
    # An application's file in the working directory may be called like a module of the standard library, and
    # a new process is to look for no module there before it is told the path.
    variables = {"PYTHONSAFEPATH": "1"}
    if not os.environ.get(_HASH_SEED):
        variables[_HASH_SEED] = hash_seed_of(spec.application_id)
    return variables


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let a process that is started meanwhile have these."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
