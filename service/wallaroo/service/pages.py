"""The HTTP pages of a service: what they show is asked of the supervisor and its workers."""

from functools import partial

from wallaroo.clock import Clock
from wallaroo.observability.http import PageSources, build_app
from wallaroo.observability.server import HttpServer
from wallaroo.observability.token import access_of
from wallaroo.service.console import console_of
from wallaroo.service.console_records import KafkaRecords
from wallaroo.service.own_topics import OwnTopics
from wallaroo.service.owners import OtherInstances
from wallaroo.service.scrape import metrics_page
from wallaroo.service.states import StatePages
from wallaroo.service.supervisor import Supervisor
from wallaroo.topology.describe import describe


def http_server(topics: OwnTopics, supervisor: Supervisor, instance: str, clock: Clock) -> HttpServer:
    """The server of a service's pages; it does not listen before it is started."""
    settings, topology = topics.settings, topics.topology
    access = access_of(settings, clock.now_ms)
    others = OtherInstances(topics.members, topology.application_id, instance, access.token)
    console = console_of(topics, supervisor, instance, access.token, clock)
    states = StatePages(topology, supervisor, others, instance, shown=settings.shows_state)
    pages = PageSources(
        metrics_page(supervisor, console.identity),
        supervisor.health,
        supervisor.readiness,
        partial(describe, topology),
        state=states.anywhere,
        own_state=states.here,
        instance=instance,
        console=console.snapshot,
        instances=console.instances,
        console_records=KafkaRecords(topology, settings, topics.admin, clock)
        if settings.shows_state
        else None,
    )
    return HttpServer(build_app(pages, access), settings.http_host, settings.http_port)
