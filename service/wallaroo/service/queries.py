"""Answer a question about the state of one key: ask the workers, one of which has its partition."""

from collections.abc import Iterable
from dataclasses import replace

from wallaroo.observability.answers import (
    NoSuchKey,
    NoSuchStage,
    StateAnswer,
    StateFound,
    StateHidden,
    StateUnavailable,
)
from wallaroo.service.handle import WorkerHandle
from wallaroo.service.protocol import StateRequest, StatusReply
from wallaroo.topology.model import Topology
from wallaroo.topology.names import slug

_ANSWER_SECONDS = 2.0


def state_of(
    stage: str, key: bytes, topology: Topology, workers: Iterable[WorkerHandle], *, exposed: bool
) -> StateAnswer:
    """The committed state of a key in a stage, by the stage's own name or its slug."""
    if not exposed:
        return StateHidden()
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
