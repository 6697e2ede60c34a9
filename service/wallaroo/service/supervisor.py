"""The supervisor: waits for Kafka, prepares the topics, starts the workers and restarts the dead ones."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager

from confluent_kafka import KafkaException

from wallaroo.clock import Clock
from wallaroo.engine.group_offsets import Cluster
from wallaroo.kafka.cluster_watch import ClusterWatch
from wallaroo.kafka.errors import OWN_CONNECTIONS
from wallaroo.observability import logging as log_setup
from wallaroo.observability.health import HealthReport, health, readiness
from wallaroo.observability.measurements import Snapshot
from wallaroo.service.handle import ANSWER_SECONDS, WorkerHandle
from wallaroo.service.lag_watch import LagWatch, lag_watch, reported_by, reports_lags, without_lags
from wallaroo.service.outage import Outages, Seen
from wallaroo.service.protocol import Exit
from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_REFRESH_SECONDS = 0.2
_STOP_SECONDS = 30.0
_KAFKA_RETRY_SECONDS = 2.0
# Instead of a worker's index, for what the supervisor has measured.
SUPERVISOR = "supervisor"


class Supervisor:
    """Keeps a group of workers running until `stop`.

    `prepare` creates or checks the topics and returns their partitions, with which `start_workers` is called.
    `cluster` is where Kafka is said to be; `watch` asks whether it is still there. `why` says why it has
    ended, once it has.
    """

    def __init__(
        self,
        prepare: Callable[[], Mapping[str, int]],
        start_workers: Callable[[Mapping[str, int]], list[WorkerHandle]],
        clock: Clock,
        cluster: str,
        retry_seconds: float = _KAFKA_RETRY_SECONDS,
        watch: ClusterWatch | None = None,
    ) -> None:
        self.workers: list[WorkerHandle] = []
        self._prepare = prepare
        self._start_workers = start_workers
        self._clock = clock
        self._stopping = threading.Event()
        self._cluster = cluster
        self._retry_seconds = retry_seconds
        self._obstacle = f"Kafka has not answered yet at {cluster}; see bootstrap_servers"
        self.why = ""
        self._outages = Outages(cluster)
        self._watch_cluster = watch
        self._refreshed = 0.0
        self._silent: set[int] = set()
        self._lag_watch: LagWatch | None = None

    def stop(self, why: str = "it was told to stop") -> None:
        self.why = self.why or why
        self._stopping.set()

    def watch_lags(self, topology: Topology, partitions: Mapping[str, int], cluster: Cluster) -> None:
        """From now on, know the lag of partitions that no worker reports, too."""
        self._lag_watch = lag_watch(topology, partitions, cluster, self._clock)
        self._lag_watch.start(lambda: self.workers)

    def measured(self) -> list[tuple[str, Snapshot]]:
        """What is measured, by worker; the lag of what no worker reports is the supervisor's."""
        now = self._clock.monotonic()
        workers = [(w.spec.index, w.status(), w.measured) for w in self.workers]
        reported = reported_by([(status, measured) for _, status, measured in workers], now)
        found = {} if self._lag_watch is None else self._lag_watch.lags
        shown = [
            (str(index), measured if reports_lags(status, now) else without_lags(measured))
            for index, status, measured in workers
        ]
        return [*shown, (SUPERVISOR, {key: lag for key, lag in found.items() if key[1] not in reported})]

    def run(self) -> Exit:
        """Until stopped, or until a worker ends with a code that says trying again is no use."""
        with self._noting_outages():
            partitions = self._prepared()
        if partitions is None:
            return Exit.CLEAN
        self.workers = self._start_workers(partitions)
        self._obstacle = ""
        verdict = Exit.CRASHED
        try:
            verdict = self._watch_until_stopped()
        finally:
            if self._lag_watch is not None:
                self._lag_watch.stop()
            verdict = self._stop_workers(verdict)
        return verdict

    def _watch_until_stopped(self) -> Exit:
        while not self._stopping.wait(_TICK_SECONDS):
            log_setup.keep()
            self._note_outages()
            final = self._watch()
            if final is not None:
                return final
        return Exit.CLEAN

    def health(self) -> HealthReport:
        statuses = [w.status() for w in self.workers]
        return health(statuses, self._clock.monotonic(), cluster_is_away=self._outages.is_open)

    def readiness(self) -> HealthReport:
        if self._obstacle:
            return HealthReport(False, (self._obstacle + self._first_cause(),))
        report = readiness([w.status() for w in self.workers], self._clock.monotonic())
        reasons = (*self._outages.reasons, *report.reasons)
        return HealthReport(not reasons, reasons)

    def _first_cause(self) -> str:
        """What a client of this process says of its connection, as long as no topic has been asked for."""
        troubles = OWN_CONNECTIONS.troubles(self._clock.monotonic())
        return f"; {troubles[0].text}" if troubles else ""

    def _note_outages(self) -> None:
        if self._watch_cluster is None:
            return
        self._watch_cluster.look()
        now = self._clock.monotonic()
        troubles = {f"worker {worker.spec.index}": worker.troubles for worker in self.workers}
        seen = Seen(
            self._watch_cluster.silent_seconds, {"the supervisor": OWN_CONNECTIONS.troubles(now), **troubles}
        )
        for event in self._outages.update(seen, now, self._clock.now_ms()):
            _log.log(logging.ERROR if event.is_begin else logging.INFO, event.name, extra=dict(event.fields))

    @contextmanager
    def _noting_outages(self) -> Iterator[None]:
        """Say why Kafka does not answer, while this thread waits for its answer."""
        answered = threading.Event()

        def note() -> None:
            while not answered.wait(_TICK_SECONDS):
                self._note_outages()

        noting = threading.Thread(target=note, name="outages", daemon=True)
        noting.start()
        try:
            yield
        finally:
            answered.set()
            noting.join()

    def refresh(self, timeout_seconds: float = ANSWER_SECONDS) -> None:
        """Ask all workers at once for measurements and status; those of a silent worker stay as they were."""
        wait([worker.ask_status() for worker in self.workers if not worker.is_silent], timeout_seconds)

    def _prepared(self) -> Mapping[str, int] | None:
        """The partitions of all topics, once the cluster is there; None if stopped before."""
        began, said = self._clock.monotonic(), ""
        while not self._stopping.is_set():
            try:
                prepared = self._prepare()
            except KafkaException as error:
                reason = error.args[0].str()
                self._obstacle = (
                    f"Kafka cannot be reached at {self._cluster}: {reason}; see bootstrap_servers"
                )
                text = self._obstacle + self._first_cause()
                if text != said and not self._outages.is_open:
                    _log.warning("waiting for Kafka", extra={"error": text})
                said = text
                self._stopping.wait(self._retry_seconds)
            else:
                if said:
                    seconds = round(self._clock.monotonic() - began, 1)
                    _log.info("Kafka can be reached", extra={"brokers": self._cluster, "seconds": seconds})
                return prepared
        return None

    def _watch(self) -> Exit | None:
        """Restart dead workers and ask the others for their status; an Exit where a restart is no use."""
        for worker in self.workers:
            if worker.process.is_alive():
                continue
            index, code = worker.spec.index, worker.process.exitcode
            if code in (Exit.REFUSED, Exit.STOPPED):
                self.why = f"worker {index} ended with {worker.how_it_ended()}"
                return Exit(code)
            if not worker.noted_as_dead:
                worker.died()
                details = {"worker": index, "exit_code": code, "restart_seconds": worker.backoff.seconds}
                _log.error(
                    "worker died", extra={**details, "in_a_row": worker.deaths, "why": worker.last_death}
                )
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
                self.why += f"; worker {worker.spec.index} did not stop within {_STOP_SECONDS:g} s"
        return verdict
