"""The supervisor: waits for Kafka, prepares the topics, starts the workers and restarts the dead ones."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import wait

from confluent_kafka import KafkaException

from wallaroo.clock import Clock
from wallaroo.observability import logging as log_setup
from wallaroo.observability.health import HealthReport, health, readiness
from wallaroo.service.handle import ANSWER_SECONDS, WorkerHandle
from wallaroo.service.protocol import Exit

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_REFRESH_SECONDS = 0.2
_STOP_SECONDS = 30.0
_KAFKA_RETRY_SECONDS = 2.0


class Supervisor:
    """Keeps a group of workers running until `stop`.

    `prepare` creates or checks the topics and returns their partitions, with which `start_workers` is called.
    `cluster` is where Kafka is said to be.
    """

    def __init__(
        self,
        prepare: Callable[[], Mapping[str, int]],
        start_workers: Callable[[Mapping[str, int]], list[WorkerHandle]],
        clock: Clock,
        cluster: str,
        retry_seconds: float = _KAFKA_RETRY_SECONDS,
    ) -> None:
        self.workers: list[WorkerHandle] = []
        self._prepare = prepare
        self._start_workers = start_workers
        self._clock = clock
        self._stopping = threading.Event()
        self._cluster = cluster
        self._retry_seconds = retry_seconds
        self._obstacle = f"Kafka has not answered yet at {cluster}; see bootstrap_servers"
        self._refreshed = 0.0
        self._silent: set[int] = set()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> Exit:
        """Until stopped, or until a worker ends with a code that says trying again is no use."""
        partitions = self._prepared()
        if partitions is None:
            return Exit.CLEAN
        self.workers = self._start_workers(partitions)
        self._obstacle = ""
        verdict = Exit.CRASHED
        try:
            verdict = self._watch_until_stopped()
        finally:
            verdict = self._stop_workers(verdict)
        return verdict

    def _watch_until_stopped(self) -> Exit:
        while not self._stopping.wait(_TICK_SECONDS):
            log_setup.keep()
            final = self._watch()
            if final is not None:
                return final
        return Exit.CLEAN

    def health(self) -> HealthReport:
        return health([w.status() for w in self.workers], self._clock.monotonic())

    def readiness(self) -> HealthReport:
        if self._obstacle:
            return HealthReport(False, (self._obstacle,))
        return readiness([w.status() for w in self.workers])

    def refresh(self, timeout_seconds: float = ANSWER_SECONDS) -> None:
        """Ask all workers at once for measurements and status; those of a silent worker stay as they were."""
        wait([worker.ask_status() for worker in self.workers if not worker.is_silent], timeout_seconds)

    def _prepared(self) -> Mapping[str, int] | None:
        """The partitions of all topics, once the cluster is there; None if stopped before."""
        while not self._stopping.is_set():
            try:
                return self._prepare()
            except KafkaException as error:
                reason = error.args[0].str()
                self._obstacle = (
                    f"Kafka cannot be reached at {self._cluster}: {reason}; see bootstrap_servers"
                )
                _log.warning("waiting for Kafka", extra={"error": self._obstacle})
                self._stopping.wait(self._retry_seconds)
        return None

    def _watch(self) -> Exit | None:
        """Restart dead workers and ask the others for their status; an Exit where a restart is no use."""
        for worker in self.workers:
            if worker.process.is_alive():
                continue
            index, code = worker.spec.index, worker.process.exitcode
            if code in (Exit.REFUSED, Exit.STOPPED):
                return Exit(code)
            if not worker.noted_as_dead:
                worker.died()
                details = {"worker": index, "exit_code": code, "restart_seconds": worker.backoff.seconds}
                _log.error("worker died", extra=details)
            if worker.restart_due:
                worker.restart()
                _log.info("worker restarted", extra={"worker": index, "restarts": worker.restarts})
        if self._clock.monotonic() - self._refreshed >= _REFRESH_SECONDS:
            self._refreshed = self._clock.monotonic()
            for worker in self.workers:
                # Not waited for: another worker may die meanwhile.
                worker.ask_status()
                self._note_silence(worker)
        return None

    def _note_silence(self, worker: WorkerHandle) -> None:
        """Log when a worker falls silent, and when it answers again; one that starts may take its time."""
        index = worker.spec.index
        if not worker.has_answered or not worker.process.is_alive():
            self._silent.discard(index)
        elif worker.is_silent and index not in self._silent:
            self._silent.add(index)
            what = "it stands still, or user code does not let it answer"
            seconds = round(worker.answer_age_seconds, 1)
            _log.warning("worker does not answer", extra={"worker": index, "seconds": seconds, "what": what})
        elif not worker.is_silent and index in self._silent:
            self._silent.remove(index)
            _log.info("worker answers again", extra={"worker": index})

    def _stop_workers(self, verdict: Exit) -> Exit:
        alive = [w for w in self.workers if w.process.is_alive()]
        for worker in alive:
            worker.process.terminate()
        deadline = self._clock.monotonic() + _STOP_SECONDS
        for worker in alive:
            worker.process.join(max(0.0, deadline - self._clock.monotonic()))
            if worker.process.is_alive():
                _log.error("worker does not stop", extra={"worker": worker.spec.index, "action": "killed"})
                worker.process.kill()
                verdict = Exit.CRASHED
        return verdict
