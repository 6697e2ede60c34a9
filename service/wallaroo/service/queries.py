"""The committed state of one key: asked for by the supervisor, looked up by the worker that owns it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wallaroo.engine.loop import Loop
from wallaroo.observability.answers import (
    NoSuchKey,
    NoSuchStage,
    StateAnswer,
    StateFound,
    StateUnavailable,
)
from wallaroo.observability.jsonable import to_jsonable
from wallaroo.service.handle import WorkerHandle
from wallaroo.service.protocol import StateRequest, StatusReply
from wallaroo.topology.model import Topology
from wallaroo.topology.names import slug

_ANSWER_SECONDS = 2.0


def ask_for_state(stage: str, key: bytes, topology: Topology, workers: Iterable[WorkerHandle]) -> StateAnswer:
    """Ask all workers for the state of a key in a stage, given by its name or slug; one of them owns it."""
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


def look_up_state(loops: Sequence[Loop], request: StateRequest) -> StateAnswer:
    """What the stores of this worker hold for a key; the supervisor adds which worker that is."""
    restoring = any(loop.restorer.restoring for loop in loops)
    for loop in loops:
        for task in list(loop.tasks):
            store = task.stores.get(request.store)
            if store is not None and store.get(request.key) is not None:
                return StateFound(task.partition.number, 0, to_jsonable(store.peek(request.key)))
    if restoring:
        return StateUnavailable("partitions are being restored; ask again in a moment")
    return NoSuchKey()
