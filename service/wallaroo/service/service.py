"""A service: the supervisor of an application with its topics, workers, purges and HTTP pages."""

import logging
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import confluent_kafka
from confluent_kafka import KafkaException

from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp.ingest import check_ingests
from wallaroo.errors import KafkaSetupError, SettingsError
from wallaroo.kafka.clients import admin_client
from wallaroo.kafka.purge import purge
from wallaroo.kafka.topics import ensure_topics
from wallaroo.observability.exposition import SnapshotCollector, renderer
from wallaroo.observability.http import Sources, build_app
from wallaroo.observability.server import HttpServer
from wallaroo.service import worker
from wallaroo.service.handle import WorkerHandle, WorkerMain
from wallaroo.service.instance import claim_instance
from wallaroo.service.protocol import Exit, WorkerSpec
from wallaroo.service.queries import state_of
from wallaroo.service.supervisor import Supervisor
from wallaroo.settings import Settings
from wallaroo.topology.describe import describe
from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)

_PURGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Program:
    """An application module and its arguments, the program's name first."""

    module: str
    args: Sequence[str]


class Service:
    """Everything of one process group; `run` blocks until SIGTERM, SIGINT or `stop`."""

    def __init__(
        self, program: Program, topology: Topology, settings: Settings, worker_main: WorkerMain = worker.main
    ) -> None:
        self._program = program
        self._topology = topology
        self._settings = settings
        self._worker_main = worker_main
        self._clock = SystemClock()
        self._lock = claim_instance(topology.application_id, settings.instance)
        self._admin = admin_client(settings, f"{topology.application_id}-{self._lock.name}-supervisor")
        self.supervisor = Supervisor(
            self._prepare, self._start_workers, self._clock, settings.bootstrap_servers
        )
        self._collector = SnapshotCollector(
            application=topology.application_id,
            version=version("wallaroo-kafka"),
            librdkafka=confluent_kafka.libversion()[0],
        )
        self._render = renderer(self._collector)
        self._http = HttpServer(build_app(self._sources()), settings.http_host, settings.http_port)
        self._ended = threading.Event()

    def run(self) -> Exit:
        """Until stopped; the exit code says how it ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: self.supervisor.stop())
        try:
            check_ingests(self._topology.ingests, self._settings)
            self._http.start()
            details = {"application": self._topology.application_id, "instance": self._lock.name}
            url = f"http://{self._settings.http_host}:{self._http.port}"
            _log.info("service started", extra={**details, "http": url})
            if not self._settings.embedded_broker:
                threading.Thread(target=self._purge, name="purge", daemon=True).start()
            return self.supervisor.run()
        except (KafkaSetupError, SettingsError) as error:
            _log.error("refused", extra={"error": str(error)})
            return Exit.REFUSED
        finally:
            self._ended.set()
            self._http.stop()
            self._lock.release()

    def _prepare(self) -> Mapping[str, int]:
        try:
            return ensure_topics(self._admin, self._topology, self._settings)
        except KafkaException:
            # Only polling brings out what the client knows of it: a refused connection, a wrong password.
            self._admin.poll(0)
            raise

    def _start_workers(self, partitions: Mapping[str, int]) -> list[WorkerHandle]:
        return [
            WorkerHandle(self._spec(index, partitions), self._worker_main, self._clock)
            for index in range(self._settings.workers)
        ]

    def _spec(self, index: int, partitions: Mapping[str, int]) -> WorkerSpec:
        program, identity = self._program, self._topology.application_id
        return WorkerSpec(
            index, self._lock.name, program.module, program.args, identity, self._settings, partitions
        )

    def _sources(self) -> Sources:
        return Sources(
            metrics=self._metrics,
            health=self.supervisor.health,
            readiness=self.supervisor.readiness,
            topology=lambda form: describe(self._topology, form),
            state=lambda stage, key: state_of(
                stage, key, self._topology, self.supervisor.workers, exposed=self._settings.expose_state
            ),
        )

    def _metrics(self, accept: str) -> tuple[str, bytes]:
        self.supervisor.refresh()
        for handle in self.supervisor.workers:
            self._collector.update(handle.spec.index, handle.measured)
            self._collector.set_restarts(handle.spec.index, handle.restarts)
        return self._render(accept)

    def _purge(self) -> None:
        while not self._ended.wait(_PURGE_SECONDS):
            purge(self._admin, self._settings, self._topology)
