"""The HTTP pages of a service: what they show is asked of the supervisor and its workers."""

from functools import partial
from importlib.metadata import version

import confluent_kafka

from wallaroo.observability.answers import StateAnswer, StateHidden
from wallaroo.observability.exposition import SnapshotCollector
from wallaroo.observability.http import PageSources, build_app
from wallaroo.observability.server import HttpServer
from wallaroo.service.queries import ask_for_state
from wallaroo.service.supervisor import Supervisor
from wallaroo.settings import Settings
from wallaroo.topology.describe import describe
from wallaroo.topology.model import Topology


def http_server(settings: Settings, topology: Topology, supervisor: Supervisor) -> HttpServer:
    """The server of a service's pages; it does not listen before it is started."""
    collector = SnapshotCollector(
        application=topology.application_id,
        version=version("wallaroo-kafka"),
        librdkafka=confluent_kafka.libversion()[0],
    )

    def metrics(accept: str) -> tuple[str, bytes]:
        supervisor.refresh()
        for worker in supervisor.workers:
            collector.update(worker.spec.index, worker.measured)
            collector.set_restarts(worker.spec.index, worker.restarts)
        return collector.render(accept)

    def state(stage: str, key: bytes) -> StateAnswer:
        if not settings.expose_state:
            return StateHidden()
        return ask_for_state(stage, key, topology, supervisor.workers)

    topology_page = partial(describe, topology)
    pages = PageSources(metrics, supervisor.health, supervisor.readiness, topology_page, state)
    return HttpServer(build_app(pages), settings.http_host, settings.http_port)
