"""Put the loops of a worker's sub-topologies together, each with its own clients."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from wallaroo.clock import SystemClock
from wallaroo.engine.assignment import Assignment
from wallaroo.engine.committer import Committer, longest_flight_seconds
from wallaroo.engine.loop import Clients, Loop
from wallaroo.engine.metrics import LoopMeasures
from wallaroo.engine.restore import Restorer
from wallaroo.engine.transaction import (
    Probe,
    at_least_once,
    exactly_once,
    in_turn,
    offsets_alone,
)
from wallaroo.kafka.clients import (
    Member,
    admin_client,
    group_consumer,
    largest_record,
    restore_consumer,
    task_producer,
    transactional_ids,
)
from wallaroo.kafka.limits import topic_limits, written_topics
from wallaroo.kafka.log import log_client_error
from wallaroo.kafka.offsets import First
from wallaroo.kafka.retry import persist
from wallaroo.observability.health import LoopStatus
from wallaroo.record import Partition
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import Guarantee, Settings
from wallaroo.state.store import KeyedStore
from wallaroo.task.dead_letters import OnError
from wallaroo.task.record_size import RecordSizeLimits
from wallaroo.task.stores import new_stores
from wallaroo.task.task import ApplicationContext, Task
from wallaroo.topology.model import SubTopology
from wallaroo.topology.timing import with_idle_timeout

_INIT_SECONDS = 30.0


class Runnable(Protocol):
    """What a worker runs in a thread."""

    name: str
    measures: LoopMeasures

    def run(self) -> None: ...
    def stop(self) -> None: ...
    def status(self) -> LoopStatus: ...


def build_loops(spec: WorkerSpec, loaded: Loaded, at: Probe) -> list[Loop]:
    """One loop for each sub-topology."""
    application_context = ApplicationContext(
        loaded.codecs.values, spec.partitions, loaded.topology.dead_letters, OnError(spec.settings.on_error)
    )
    idle_timeout_ms = spec.settings.idle_timeout_ms
    subs = [with_idle_timeout(sub, idle_timeout_ms) for sub in loaded.topology.sub_topologies]
    return [_loop(sub, spec, loaded, application_context, at) for sub in subs]


def _loop(
    sub: SubTopology, spec: WorkerSpec, loaded: Loaded, application_context: ApplicationContext, at: Probe
) -> Loop:
    def new_task(partition: Partition, start: int, stores: Mapping[str, KeyedStore]) -> Task:
        return Task(sub, partition, start, stores, application_context)

    first: First = "earliest" if sub.input.is_ours else spec.settings.auto_offset_reset
    stores = partial(new_stores, sub, loaded.codecs.state)
    assignment = Assignment(spec.settings, first, stores, new_task)
    written = written_topics(sub, application_context.dead_letters)
    limits_of = partial(_ask_limits, written, application_context.max_bytes)
    open_clients = partial(_open, sub, spec, limits_of, assignment, at)
    return Loop(sub, spec.settings, assignment, open_clients, SystemClock())


def _open(
    sub: SubTopology,
    spec: WorkerSpec,
    limits_of: Callable[[AdminClient, Settings], RecordSizeLimits],
    assignment: Assignment,
    at: Probe,
) -> Clients:
    settings = spec.settings
    member = Member(spec.application_id, spec.instance, spec.index).named(sub.name)
    failures: list[KafkaError] = []
    admin = admin_client(settings, member)
    limits = partial(limits_of, admin, settings)
    largest_batch = min(limits().topics.values(), default=largest_record(settings))
    new_producer = partial(
        task_producer, settings, on_error=log_client_error, failures=failures, largest_batch=largest_batch
    )
    consumer = group_consumer(settings, sub.group, member, log_client_error)
    if settings.processing_guarantee is Guarantee.EXACTLY_ONCE:
        producers = [new_producer(transactional_id) for transactional_id in transactional_ids(member)]
        for producer in producers:
            # Fences the worker that had this id before, and aborts what it left open.
            persist(partial(producer.init_transactions, _INIT_SECONDS))
        write = in_turn([exactly_once(producer, at, limits) for producer in producers])
        longest = longest_flight_seconds(settings.transaction_timeout_ms)
        committer = Committer(write, longest_seconds=longest)
    else:
        write = at_least_once(new_producer(member), failures, at, limits)
        committer = Committer(write, offsets_alone(consumer, at))
    restorer = Restorer(
        {store.name: store.changelog for store in sub.stores},
        lambda: restore_consumer(settings, member),
        admin,
        assignment.restored.put,
        at,
    )
    return Clients(consumer, committer, restorer, admin)


def _ask_limits(
    topics: Sequence[str], max_bytes: dict[str, int], admin: AdminClient, settings: Settings
) -> RecordSizeLimits:
    """The limits as they are now, and from now on those of record batches too."""
    limits = RecordSizeLimits(largest_record(settings), topic_limits(admin, topics, settings))
    max_bytes.update({topic: limits.of(topic) for topic in topics})
    return limits
