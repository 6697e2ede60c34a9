"""The committed state of one key: asked for by the supervisor, looked up by the worker that owns it.

That there is no state can only be said by whoever owns the partition of the key. Every worker says which
partitions it has looked into; what nobody here has looked into belongs to another instance, or is moving.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace

from wallaroo.engine.loop import Loop
from wallaroo.errors import TopologyError
from wallaroo.observability.answers import (
    NoSuchKey,
    NoSuchStage,
    StateAnswer,
    StateFound,
    StateUnavailable,
)
from wallaroo.observability.jsonable import to_jsonable
from wallaroo.service.handle import WorkerHandle
from wallaroo.service.protocol import KeyAbsent, StateRequest
from wallaroo.service.questions import Answer
from wallaroo.task.keys import partition_of
from wallaroo.topology.model import SubTopology, Topology
from wallaroo.topology.names import slug

# Of the two seconds that a page may take; the rest is for Kafka or for another instance.
_ANSWER_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Question:
    """A key of a store; it can be in these partitions of its sub-topology's input."""

    sub: SubTopology
    store: str
    key: bytes
    partitions: frozenset[int]

    def where(self, partitions: Iterable[int]) -> str:
        """These partitions, for a text."""
        numbers = sorted(partitions)
        word = "partition" if len(numbers) == 1 else "partitions"
        return f"{word} {_listed(numbers)} of stage {self.store!r}"


Elsewhere = Callable[[Question], StateAnswer]
"""Answers for partitions that no worker here owns."""


@dataclass(slots=True)
class _Heard:
    """What the workers have said so far."""

    found: StateFound | None = None
    problem: StateUnavailable | None = None
    owned: set[int] = field(default_factory=set)
    restoring: set[int] = field(default_factory=set)


def nowhere(question: Question) -> StateAnswer:
    return StateUnavailable(f"{question.where(question.partitions)} is not of this instance")


def ask_for_state(
    stage: str,
    key: bytes,
    topology: Topology,
    workers: Sequence[WorkerHandle],
    elsewhere: Elsewhere = nowhere,
    among: frozenset[int] | None = None,
) -> StateAnswer:
    """Ask all workers at once for the state of a key in a stage, given by its name or slug.

    `among` are the partitions that are asked about, by default all in which the key can be.
    """
    counts = workers[0].spec.partitions if workers else {}
    question = question_about(stage, key, topology, counts)
    if question is None:
        return NoSuchStage(tuple(store.name for store in topology.stores))
    if among is not None:
        question = replace(question, partitions=among)
    request = StateRequest(question.store, key)
    asked = {worker.ask(request): worker.spec.index for worker in workers if not worker.is_silent}
    heard = _hear(asked)
    if heard.found is not None:
        return heard.found
    answered = {index for answer, index in asked.items() if answer.done() and answer.result() is not None}
    silent = [worker.spec.index for worker in workers if worker.spec.index not in answered]
    return _without_state(
        replace(question, partitions=question.partitions - heard.owned), heard, silent, elsewhere
    )


def question_about(stage: str, key: bytes, topology: Topology, counts: Mapping[str, int]) -> Question | None:
    """Where to look; `counts` are the numbers of partitions by topic. None if no such stage has state."""
    try:
        name = slug(stage)
    except TopologyError:
        return None
    for sub in topology.sub_topologies:
        if name in {store.name for store in sub.stores}:
            count = counts.get(sub.input.topic, 0)
            # Who writes a source chooses its partitions, and every partition has watermarks.
            is_ours = not sub.input.is_source and name in sub.stages
            where = {partition_of(key, count)} if is_ours and count else range(count)
            return Question(sub, name, key, frozenset(where))
    return None


def _hear(asked: Mapping[Answer, int]) -> _Heard:
    """Take the answers as they come, until one has the state or it is time to go on."""
    heard = _Heard()
    with suppress(TimeoutError):
        for answer in as_completed(asked, _ANSWER_SECONDS):
            match answer.result():
                case StateFound() as found:
                    heard.found = replace(found, worker=asked[answer])
                    break
                case KeyAbsent(owned, restoring):
                    heard.owned |= owned
                    heard.restoring |= restoring
                case StateUnavailable() as problem:
                    heard.problem = problem
    return heard


def _without_state(left: Question, heard: _Heard, silent: Sequence[int], elsewhere: Elsewhere) -> StateAnswer:
    """The answer where no worker has the state; `left` are the partitions that nobody has looked into."""
    if heard.problem is not None:
        return heard.problem
    if not left.partitions:
        return NoSuchKey()
    if left.partitions & heard.restoring:
        return StateUnavailable(f"{left.where(left.partitions)}: being restored; ask again in a moment")
    answer = elsewhere(left)
    if silent and isinstance(answer, StateUnavailable):
        who = f"worker {silent[0]} does" if len(silent) == 1 else f"workers {_listed(silent)} do"
        return StateUnavailable(f"{who} not answer; {answer.reason}")
    return answer


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def look_up_state(loops: Sequence[Loop], request: StateRequest) -> StateAnswer | KeyAbsent:
    """What the stores of this worker hold for a key; the supervisor adds which worker that is."""
    # Before the tasks: what is restored meanwhile is then in both.
    restoring = {number for loop in loops for number in list(loop.restorer.restoring)}
    owned = set()
    for loop in loops:
        for task in list(loop.tasks):
            store, number = task.stores.get(request.store), task.partition.number
            if store is None:
                continue
            owned.add(number)
            if store.get(request.key) is None:
                continue
            try:
                return StateFound(number, 0, to_jsonable(store.peek(request.key)))
            except BaseException as error:  # whatever user code raises, it must not end the worker
                if store.get(request.key) is not None:
                    return StateUnavailable(_unreadable(request, number, error))
    return KeyAbsent(frozenset(owned), frozenset(restoring - owned))


def _unreadable(request: StateRequest, number: int, error: BaseException) -> str:
    return (
        f"the state of {request.store!r} in partition {number} cannot be read: "
        f"{type(error).__qualname__}; see that the class of the state can be made of what was stored"
    )
