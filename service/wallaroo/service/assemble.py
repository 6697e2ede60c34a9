"""Put the loops of a worker's sub-topologies together, each with its own clients."""

from functools import partial

from wallaroo.clock import SystemClock
from wallaroo.engine.clients import open_clients
from wallaroo.engine.loop import Loop
from wallaroo.engine.restore import Restorer
from wallaroo.engine.transaction import Probe
from wallaroo.kafka.clients import Member, restore_consumer
from wallaroo.service.application import Loaded
from wallaroo.service.protocol import WorkerSpec
from wallaroo.task.context import ApplicationContext, new_stores
from wallaroo.task.dead_letters import OnError
from wallaroo.task.task import Task
from wallaroo.topology.timing import with_idle_timeout


def build_loops(spec: WorkerSpec, loaded: Loaded, probe: Probe) -> list[Loop]:
    """One loop for each sub-topology."""
    settings, topology = spec.settings, loaded.topology
    context = ApplicationContext(
        loaded.codecs.values, spec.partitions, topology.dead_letters, OnError(settings.on_error)
    )
    loops = []
    for declared in topology.sub_topologies:
        sub = with_idle_timeout(declared, settings.idle_timeout_ms)
        member_id = Member(spec.application_id, spec.instance, spec.index).named(sub.name)
        restorer = Restorer(
            {store.name: store.changelog for store in sub.stores},
            partial(new_stores, sub, loaded.codecs.state),
            partial(restore_consumer, settings, member_id),
            probe,
        )
        clients = partial(open_clients, sub, context, settings, member_id, probe)
        new_task = partial(Task, sub, application=context)
        loops.append(Loop(sub, settings, new_task, restorer, clients, SystemClock()))
    return loops
