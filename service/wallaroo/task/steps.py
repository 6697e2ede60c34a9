"""Compose the steps of a sub-topology: into one function for a record, and one for a slice of records."""

from collections.abc import Callable
from typing import Any, NamedTuple

from wallaroo.errors import RecordError
from wallaroo.record import Emit, Origin
from wallaroo.state.store import Access
from wallaroo.task.columns import BatchEmit, each_by_itself, in_columns
from wallaroo.task.context import TaskContext
from wallaroo.task.keys import key_bytes
from wallaroo.task.record_batch import internal_event_time
from wallaroo.task.sinks import target
from wallaroo.topology.model import (
    Apply,
    ApplyMulti,
    CheckKey,
    Step,
    SubTopology,
    Update,
    UpdateMulti,
)
from wallaroo.windows.event_time import with_event_time
from wallaroo.windows.kinds import kind_of

Function = Callable[..., Any]


class Composed(NamedTuple):
    """The same way for one record and for a slice of them."""

    one: Emit
    each: BatchEmit


def compose(sub_topology: SubTopology, wiring: TaskContext) -> Composed:
    """The way of decoded records through every step and on to every target."""
    emits = [_fan_out([wiring.guard(end.name, target(end, wiring)) for end in sub_topology.targets])]
    for step in reversed(sub_topology.steps):
        emits.insert(0, wiring.guard(step.name, _step(step, wiring, emits[0])))
    timed = with_event_time(sub_topology.input, wiring.lane, internal_event_time, emits[0])
    one = wiring.guard(sub_topology.input.name, timed)
    return Composed(one, in_columns(sub_topology, wiring, emits) if one is emits[0] else each_by_itself(one))


def _fan_out(emits: list[Emit]) -> Emit:
    if len(emits) == 1:
        return emits[0]

    def send(value: Any, key: bytes | None, origin: Origin) -> None:
        for emit in emits:
            emit(value, key, origin)

    return send


def _step(step: Step, wiring: TaskContext, emit: Emit) -> Emit:
    match step:
        case Apply(_, function):
            return _apply(function, emit)
        case ApplyMulti(name, function):
            return _apply_multi(name, function, emit)
        case Update(_, function, store):
            return _update(function, wiring.access(wiring.stores[store.name]), emit)
        case UpdateMulti(name, function, store):
            return _update_multi(name, function, wiring.access(wiring.stores[store.name]), emit)
        case CheckKey(name, extract):
            return _check_key(name, extract, emit)
        case _:
            access = wiring.access(wiring.stores[step.store.name])
            return kind_of(step).compose(step, access, wiring.lane, emit)


def _apply(function: Function, emit: Emit) -> Emit:
    def process(value: Any, key: bytes | None, origin: Origin) -> None:
        result = function(value)
        if result is not None:
            emit(result, key, origin)

    return process


def _apply_multi(name: str, function: Function, emit: Emit) -> Emit:
    def process(value: Any, key: bytes | None, origin: Origin) -> None:
        for result in _results(name, function(value)):
            emit(result, key, origin)

    return process


def _update(function: Function, access: Access, emit: Emit) -> Emit:
    find, touch = access

    def process(value: Any, key: Any, origin: Origin) -> None:
        state = find(key)
        if state is None:
            state = touch(key)
        result = function(value, state)
        if result is not None:
            emit(result, key, origin)

    return process


def _update_multi(name: str, function: Function, access: Access, emit: Emit) -> Emit:
    find, touch = access

    def process(value: Any, key: Any, origin: Origin) -> None:
        state = find(key)
        if state is None:
            state = touch(key)
        for result in _results(name, function(value, state)):
            emit(result, key, origin)

    return process


def _check_key(name: str, extract: Function, emit: Emit) -> Emit:
    def process(value: Any, key: bytes | None, origin: Origin) -> None:
        wanted = extract(value)
        wanted = wanted.encode() if type(wanted) is str else key_bytes(name, wanted)
        if wanted != key:
            raise RecordError(
                f"the record's key is {key!r}, but {name!r} extracts {wanted!r}; the source was declared "
                "partitioned by it: key the records so, or leave partitioned_by out"
            )
        emit(value, key, origin)

    return process


def _results(name: str, results: Any) -> list[Any]:
    if results is None:
        return []
    if not isinstance(results, list):
        raise RecordError(f"{name!r} returned {type(results).__name__}; return a list, or None")
    return [result for result in results if result is not None]
