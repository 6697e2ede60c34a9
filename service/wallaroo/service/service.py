"""A service: the supervisor of an application with its topics, workers and HTTP pages."""

import logging
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp.ingest import check_ingests
from wallaroo.errors import KafkaSetupError, SettingsError
from wallaroo.service import worker
from wallaroo.service.handle import WorkerHandle, WorkerMain
from wallaroo.service.instance import claim_instance
from wallaroo.service.own_topics import OwnTopics
from wallaroo.service.pages import http_server
from wallaroo.service.protocol import Exit, WorkerSpec
from wallaroo.service.supervisor import Supervisor
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """An application module and its arguments, the program's name first."""

    module: str
    args: Sequence[str]


class Service:
    """Everything of one process group; `run` blocks until SIGTERM or SIGINT."""

    def __init__(
        self, program: Program, topology: Topology, settings: Settings, worker_main: WorkerMain = worker.main
    ) -> None:
        self._program = program
        self._topology = topology
        self._settings = settings
        self._worker_main = worker_main
        self._clock = SystemClock()
        self._lock = claim_instance(topology.application_id, settings.instance)
        client_id = f"{topology.application_id}-{self._lock.name}-supervisor"
        self._topics = OwnTopics(topology, settings, client_id)
        self.supervisor = Supervisor(
            self._topics.prepare,
            self._start_workers,
            self._clock,
            settings.bootstrap_servers,
            watch=self._topics.watch(self._clock),
        )
        self._http = http_server(self._topics, self.supervisor, self._lock.name, self._clock)

    def run(self) -> Exit:
        """Until stopped; the exit code says how it ended, and so does the last line of the log."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        code, why = self._run()
        level = logging.INFO if code is Exit.CLEAN else logging.ERROR
        _log.log(level, "service stopped", extra={"exit_code": int(code), "why": why})
        return code

    def _stop(self, number: int, _frame: object) -> None:
        self.supervisor.stop(signal.Signals(number).name)

    def _run(self) -> tuple[Exit, str]:
        """Run until the end; the exit code, and why."""
        try:
            check_ingests(self._topology.ingests, self._settings)
            self._http.start()
            details = {"application": self._topology.application_id, "instance": self._lock.name}
            url = f"http://{self._settings.http_host}:{self._http.port}"
            _log.info("service started", extra={**details, "http": url})
            self._topics.start_purging()
            return self.supervisor.run(), self.supervisor.why
        except (KafkaSetupError, SettingsError) as error:
            return Exit.REFUSED, str(error)
        except Exception as error:
            # Whoever started the service reads why it has ended in its log, and nothing behind it.
            _log.exception("supervisor failed")
            return Exit.CRASHED, f"{type(error).__name__}: {error}"
        finally:
            self._topics.close()
            self._http.stop()
            self._lock.release()

    def _start_workers(self, partitions: Mapping[str, int]) -> list[WorkerHandle]:
        program, settings, app_id = self._program, self._settings, self._topology.application_id
        made = self._topology.fingerprint
        specs = [
            WorkerSpec(
                index, self._lock.name, program.module, program.args, app_id, settings, partitions, made
            )
            for index in range(settings.workers)
        ]
        # The embedded broker knows nothing of groups.
        if not settings.embedded_broker:
            self.supervisor.watch_lags(self._topology, partitions, self._topics.cluster(self._lock.name))
        return [WorkerHandle(spec, self._worker_main, self._clock) for spec in specs]
