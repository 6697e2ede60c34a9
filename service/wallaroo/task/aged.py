"""State computations with a time to live: a record finds its key's state, or a fresh one if that has ended.

Rules for whoever edits this file:
1. What a record finds follows from its own time, from the latest time of its key, and, if it is further
   behind the watermark than the allowance, from the watermark. When a key was removed decides nothing.
2. A slice whose records are all within the allowance is processed in one loop, unless the function takes a
   context. All ways do the same.
3. A deleted state takes its time with it: the next record of the key is as the first.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wallaroo.api.context import Context
from wallaroo.record import Emit, Moment, RawRecord
from wallaroo.state.aged import NONE_YET, UNKNOWN_AGE
from wallaroo.task.context import TaskContext
from wallaroo.task.record_context import StageReader
from wallaroo.task.slice_times import SliceTimes
from wallaroo.topology.steps import Update, UpdateMulti
from wallaroo.windows.stage import WindowTrigger
from wallaroo.windows.timers import Timers

# (values, keys, run, remaining): process a slice; returns False if it has to go record by record instead.
UpdateSlice = Callable[[Sequence[Any], Sequence[bytes], Sequence[RawRecord], Iterator[RawRecord]], bool]


def update_aged(step: Update | UpdateMulti, context: TaskContext, emit: Emit) -> Emit:
    """The stage, record by record."""
    function, find_state = step.function, _state_finder(step, context)

    def update_aged_state(value: Any, key: Any, origin: Any) -> None:
        result = function(value, find_state(key, origin.event_time))
        if result is not None:
            emit(result, key, origin)

    return update_aged_state


def update_aged_with_context(
    step: Update | UpdateMulti, context: TaskContext, reader: StageReader, emit: Emit
) -> Emit:
    """The stage with a function that takes a context, record by record."""
    function, find_state = step.function, _state_finder(step, context)
    store, expiry = context.stores[step.store.name], context.time.expiries[step.store.name]

    def end(key: bytes) -> None:
        store.end(key)
        expiry.keep_entry(key)

    # In replay mode a record that fails takes back what it did, and the entry of its own time is no good.
    reader.end = store.end if context.replay else end

    def update_aged_state(value: Any, key: Any, origin: Any) -> None:
        state = find_state(key, origin.event_time)
        of_record = Context(key, origin, reader)
        try:
            result = function(value, state, of_record)
        finally:
            of_record._origin = None  # noqa: SLF001 - it ends here
        if result is not None:
            emit(result, key, origin)

    return update_aged_state


def _state_finder(step: Update | UpdateMulti, context: TaskContext) -> Callable[[bytes, int], Any]:
    """Returns a function that finds or freshly makes the state of a key for a record of this time."""
    initial, (find, touch) = step.store.initial, context.access(step.store.name)
    expiry = context.time.expiries[step.store.name]
    ttl, kept, level = expiry.ttl, expiry.kept, expiry.level
    if isinstance(level, Timers):
        # Behind windows, the level is moved with them.
        context.time.triggers.append(WindowTrigger(step.name, level, _nothing, _nothing))

    def find_state(key: bytes, event_time: int) -> Any:
        aged = find(key)
        if aged is None:
            aged = touch(key)
            expiry.know_age(aged, event_time)
        latest = aged.latest
        if event_time - latest > ttl or level.watermark - latest > kept:
            if latest == NONE_YET:
                expiry.add(key, event_time)
            aged.state = initial()
            aged.latest = event_time
        elif event_time > latest:
            aged.latest = event_time
        return aged.state

    return find_state


def _nothing(_due: int, _key: bytes) -> None:
    """Nothing is due in a stage with a ttl: its keys are removed by the commit."""


def update_aged_slices(
    step: Update | UpdateMulti, context: TaskContext, emit: Emit, slice_times: SliceTimes
) -> UpdateSlice:
    """The stage, slice by slice: where all records are in time, the watermark decides nothing."""
    function, initial, (find, touch) = step.function, step.store.initial, context.access(step.store.name)
    expiry = context.time.expiries[step.store.name]
    ttl, times_of, done, keep_time = expiry.ttl, slice_times.of, slice_times.done, slice_times.keeps

    def update_aged_slice(
        values: Sequence[Any],
        keys: Sequence[bytes],
        run: Sequence[RawRecord],
        remaining: Iterator[RawRecord],
    ) -> bool:
        if (found := times_of(run)) is None:
            return False
        times, last = found
        # A key with a later time than this cannot have ended for any record of the slice.
        ended_before = last - ttl
        for value, key, event_time, record in zip(values, keys, times, remaining, strict=False):
            aged = find(key)
            if aged is None:
                aged = touch(key)
                if aged.latest == UNKNOWN_AGE:
                    expiry.know_age(aged, event_time)
            latest = aged.latest
            if event_time > latest:
                if latest < ended_before and event_time - latest > ttl:
                    if latest == NONE_YET:
                        expiry.add(key, event_time)
                    aged.state = initial()
                aged.latest = event_time
            result = function(value, aged.state)
            if result is not None:
                emit(result, key, Moment(event_time, record) if keep_time else record)
        done(last)
        return True

    return update_aged_slice
