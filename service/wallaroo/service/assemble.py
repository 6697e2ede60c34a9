"""Put the loops of a worker's sub-topologies together, each with its own clients."""

from dataclasses import dataclass, field
from functools import partial

from wallaroo.clock import Clock, SystemClock
from wallaroo.engine.clients import open_clients
from wallaroo.engine.loop import Loop
from wallaroo.engine.restore import new_restorer
from wallaroo.engine.starting import start_decider
from wallaroo.engine.task_group import TaskFactory
from wallaroo.engine.transaction import Probe, no_probe
from wallaroo.kafka.clients import WorkerIdentity, restore_consumer
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.task.context import application_context
from wallaroo.topology.timing import with_idle_timeout, with_max_future


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all loops of a worker are built from; `probe` is called between the steps of a transaction."""

    spec: WorkerSpec
    loaded: Loaded
    probe: Probe = no_probe
    clock: Clock = field(default_factory=SystemClock)

    @property
    def identity(self) -> WorkerIdentity:
        return WorkerIdentity(self.spec.application_id, self.spec.instance, self.spec.index)


def build_loops(worker: WorkerContext) -> list[Loop]:
    """One loop for each sub-topology."""
    settings, loaded, probe = worker.spec.settings, worker.loaded, worker.probe
    context = application_context(
        loaded.codecs.values,
        worker.spec.partitions,
        loaded.topology.dead_letters,
        settings.on_error,
        settings.on_unreadable_state,
        exactly_once=settings.is_exactly_once,
    )
    loops = []
    for declared in loaded.topology.sub_topologies:
        sub = with_idle_timeout(declared, settings.idle_timeout_ms)
        sub = with_max_future(sub, settings.max_future_ms)
        member_id = worker.identity.member_id(sub.name)
        open_consumer = partial(restore_consumer, settings, member_id)
        decider = start_decider(sub, loaded.topology, settings, context, open_consumer)
        restorer = new_restorer(sub, loaded.codecs.state, open_consumer, decider.decide_restored, probe)
        clients = partial(open_clients, sub, context, settings, member_id, probe, worker.clock)
        loops.append(Loop(sub, settings, TaskFactory(sub, context), restorer, clients, worker.clock))
    return loops
