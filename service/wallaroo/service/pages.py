"""The HTTP pages of a service: what they show is asked of the supervisor and its workers."""

from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version

import confluent_kafka

from wallaroo.observability.answers import (
    NoSuchKey,
    NoSuchStage,
    StateAnswer,
    StateFound,
    StateHidden,
    StateUnavailable,
)
from wallaroo.observability.exposition import SnapshotCollector, renderer
from wallaroo.observability.http import PageSources, build_app
from wallaroo.observability.server import HttpServer
from wallaroo.service.handle import WorkerHandle
from wallaroo.service.protocol import StateRequest, StatusReply
from wallaroo.service.supervisor import Supervisor
from wallaroo.settings import Settings
from wallaroo.topology.describe import describe
from wallaroo.topology.model import Topology
from wallaroo.topology.names import slug

_ANSWER_SECONDS = 2.0


class Pages:
    """The sources of every page of one service."""

    def __init__(self, topology: Topology, supervisor: Supervisor, *, expose_state: bool) -> None:
        self._topology = topology
        self._supervisor = supervisor
        self._expose_state = expose_state
        self._collector = SnapshotCollector(
            application=topology.application_id,
            version=version("wallaroo-kafka"),
            librdkafka=confluent_kafka.libversion()[0],
        )
        self._render = renderer(self._collector)

    def sources(self) -> PageSources:
        return PageSources(
            metrics=self._metrics,
            health=self._supervisor.health,
            readiness=self._supervisor.readiness,
            topology=lambda form: describe(self._topology, form),
            state=self._state,
        )

    def _metrics(self, accept: str) -> tuple[str, bytes]:
        self._supervisor.refresh()
        for worker in self._supervisor.workers:
            self._collector.update(worker.spec.index, worker.measured)
            self._collector.set_restarts(worker.spec.index, worker.restarts)
        return self._render(accept)

    def _state(self, stage: str, key: bytes) -> StateAnswer:
        if not self._expose_state:
            return StateHidden()
        return state_of(stage, key, self._topology, self._supervisor.workers)


def http_server(settings: Settings, topology: Topology, supervisor: Supervisor) -> HttpServer:
    """The server of a service's pages; it does not listen before it is started."""
    pages = Pages(topology, supervisor, expose_state=settings.expose_state)
    return HttpServer(build_app(pages.sources()), settings.http_host, settings.http_port)


def state_of(stage: str, key: bytes, topology: Topology, workers: Iterable[WorkerHandle]) -> StateAnswer:
    """The committed state of a key in a stage, given by its name or slug; one worker owns its partition."""
    names = tuple(store.name for store in topology.stores)
    if slug(stage) not in names:
        return NoSuchStage(names)
    unavailable: StateAnswer | None = None
    for worker in workers:
        answer = worker.ask(StateRequest(slug(stage), key), _ANSWER_SECONDS)
        if isinstance(answer, StateFound):
            return replace(answer, worker=worker.spec.index)
        if answer is None or isinstance(answer, StatusReply):
            unavailable = StateUnavailable(f"worker {worker.spec.index} does not answer; look at its log")
        elif isinstance(answer, StateUnavailable):
            unavailable = answer
    return unavailable or NoSuchKey()
