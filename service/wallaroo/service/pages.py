"""The HTTP pages of a service: what they show is asked of the supervisor and its workers."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from wallaroo.clock import Clock
from wallaroo.observability.answers import StateAnswer, StateFound, StateHidden, StateUnavailable
from wallaroo.observability.exposition import SnapshotCollector
from wallaroo.observability.forward import ask_snapshot
from wallaroo.observability.http import PageSources, build_app
from wallaroo.observability.server import HttpServer
from wallaroo.observability.token import access_of
from wallaroo.service.console import Console, identity_of
from wallaroo.service.desk import KafkaDesk
from wallaroo.service.memory import memory_limit, memory_of
from wallaroo.service.own_topics import OwnTopics
from wallaroo.service.owners import OtherInstances
from wallaroo.service.queries import Elsewhere, ask_for_state, nowhere
from wallaroo.service.supervisor import SUPERVISOR, Supervisor
from wallaroo.settings import Settings
from wallaroo.topology.describe import describe
from wallaroo.topology.model import Topology


def http_server(
    settings: Settings,
    topology: Topology,
    supervisor: Supervisor,
    instance: str,
    topics: OwnTopics,
    clock: Clock,
) -> HttpServer:
    """The server of a service's pages; it does not listen before it is started."""
    access = access_of(settings, clock.now_ms)
    others = OtherInstances(topics.members, topology.application_id, instance, access.token)
    ask_other = partial(ask_snapshot, access.token)
    identity = identity_of(settings, topology, instance, clock.now_ms())
    console = Console(identity, topology, supervisor, topics.members, ask_other, clock.now_ms)
    desk = KafkaDesk(topology, settings, topics.admin, clock) if settings.shows_state else None

    def ask(stage: str, key: bytes, elsewhere: Elsewhere, among: frozenset[int] | None) -> StateAnswer:
        if not settings.shows_state:
            return StateHidden()
        if not supervisor.workers:
            return StateUnavailable("no worker has been started yet; see /readyz")
        answer = ask_for_state(stage, key, topology, supervisor.workers, elsewhere, among)
        if isinstance(answer, StateFound) and not answer.instance:
            return replace(answer, instance=instance)
        return answer

    pages = PageSources(
        _metrics_of(supervisor, console),
        supervisor.health,
        supervisor.readiness,
        partial(describe, topology),
        state=lambda stage, key: ask(stage, key, others.state, None),
        own_state=lambda stage, key, among: ask(stage, key, nowhere, among),
        instance=instance,
        console=console.snapshot,
        instances=console.instances,
        desk=desk,
    )
    return HttpServer(build_app(pages, access), settings.http_host, settings.http_port)


def _metrics_of(supervisor: Supervisor, console: Console) -> Callable[[str], tuple[str, bytes]]:
    identity = console.identity
    collector = SnapshotCollector(
        application=identity.application, version=identity.version, librdkafka=identity.librdkafka
    )

    def metrics(accept: str) -> tuple[str, bytes]:
        supervisor.refresh()
        for worker in supervisor.workers:
            collector.set_restarts(worker.spec.index, worker.restarts)
            collector.set_answer_age(worker.spec.index, worker.answer_age_seconds)
        memory = {str(worker.spec.index): memory_of(worker.process.pid) for worker in supervisor.workers}
        memory[SUPERVISOR] = {**memory_of(os.getpid()), **memory_limit()}
        for name, measured in supervisor.measured():
            collector.update(name, {**measured, **memory.get(name, {})})
        return collector.render(accept)

    return metrics
