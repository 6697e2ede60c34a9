"""Compose the steps of a sub-topology into functions that take one record through them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from wallaroo.errors import RecordError
from wallaroo.record import Emit, Origin
from wallaroo.state.store import Access
from wallaroo.task.context import TaskContext
from wallaroo.task.keys import key_bytes
from wallaroo.task.record_batch import internal_event_time
from wallaroo.task.sinks import sink
from wallaroo.topology.model import SubTopology
from wallaroo.topology.steps import Apply, ApplyMulti, CheckKey, Step, Update, UpdateMulti
from wallaroo.windows.event_time import with_event_time
from wallaroo.windows.kinds import kind_of

Function = Callable[..., Any]


class Pipeline(NamedTuple):
    """`emit` takes a decoded record all the way; `emits[n]` from step n on, to every target."""

    emit: Emit
    emits: Sequence[Emit]

    @property
    def keeps_time(self) -> bool:
        """Whether `emit` does something of its own before the first step."""
        return self.emit is not self.emits[0]


def compose(sub_topology: SubTopology, context: TaskContext) -> Pipeline:
    """The pipeline of a sub-topology in one mode of a task."""
    emits = [_fan_out([context.guard(target.name, sink(target, context)) for target in sub_topology.targets])]
    for step in reversed(sub_topology.steps):
        emits.insert(0, context.guard(step.name, _step(step, context, emits[0])))
    timed = with_event_time(sub_topology.input, context.time, internal_event_time, emits[0])
    return Pipeline(context.guard(sub_topology.input.name, timed), emits)


def _fan_out(emits: list[Emit]) -> Emit:
    if len(emits) == 1:
        return emits[0]

    def fan_out(value: Any, key: bytes | None, origin: Origin) -> None:
        for emit in emits:
            emit(value, key, origin)

    return fan_out


def _step(step: Step, context: TaskContext, emit: Emit) -> Emit:
    match step:
        case Apply(_, function):
            return _apply(function, emit)
        case ApplyMulti(name, function):
            return _apply_to_many(name, function, emit)
        case Update(_, function, store):
            return _update_state(function, context.access(context.stores[store.name]), emit)
        case UpdateMulti(name, function, store):
            return _update_state_to_many(name, function, context.access(context.stores[store.name]), emit)
        case CheckKey(name, extract):
            return _check_key(name, extract, emit)
        case _:
            access = context.access(context.stores[step.store.name])
            return kind_of(step).compose(step, access, context.time, emit)


def _apply(function: Function, emit: Emit) -> Emit:
    def apply(value: Any, key: bytes | None, origin: Origin) -> None:
        result = function(value)
        if result is not None:
            emit(result, key, origin)

    return apply


def _apply_to_many(name: str, function: Function, emit: Emit) -> Emit:
    def apply_to_many(value: Any, key: bytes | None, origin: Origin) -> None:
        for result in _results(name, function(value)):
            emit(result, key, origin)

    return apply_to_many


def _update_state(function: Function, access: Access, emit: Emit) -> Emit:
    find, touch = access

    def update_state(value: Any, key: Any, origin: Origin) -> None:
        state = find(key)
        if state is None:
            state = touch(key)
        result = function(value, state)
        if result is not None:
            emit(result, key, origin)

    return update_state


def _update_state_to_many(name: str, function: Function, access: Access, emit: Emit) -> Emit:
    find, touch = access

    def update_state_to_many(value: Any, key: Any, origin: Origin) -> None:
        state = find(key)
        if state is None:
            state = touch(key)
        for result in _results(name, function(value, state)):
            emit(result, key, origin)

    return update_state_to_many


def _check_key(name: str, extract: Function, emit: Emit) -> Emit:
    def check_key(value: Any, key: bytes | None, origin: Origin) -> None:
        extracted = key_bytes(name, extract(value))
        if extracted != key:
            raise RecordError(
                f"the record's key is {key!r}, but {name!r} extracts {extracted!r}; the source was declared "
                "partitioned by it: key the records so, or leave partitioned_by out"
            )
        emit(value, key, origin)

    return check_key


def _results(name: str, results: Any) -> list[Any]:
    if results is None:
        return []
    if not isinstance(results, list):
        raise RecordError(f"{name!r} returned {type(results).__name__}; return a list, or None")
    return [result for result in results if result is not None]
