"""The code broken on purpose, in one place at a time: what the simulation is worth.

Each mutation replaces attributes of the service while schedules run. A simulation that does not find one of
them does not look there.
"""

from contextlib import contextmanager
from typing import NamedTuple

from tests.simulation.run import simulate
from wallaroo.engine import restore, task_group
from wallaroo.engine.end_offsets import EndOffsets
from wallaroo.engine.loop import Loop
from wallaroo.engine.starting import Fed
from wallaroo.engine.task_group import TaskGroup
from wallaroo.engine.transaction import Commit
from wallaroo.state.memory import MemoryStore
from wallaroo.task.dead_letters import FailureHandler
from wallaroo.task.position import PositionLog
from wallaroo.task.replay import RecordTransaction
from wallaroo.task.task import Task
from wallaroo.windows import range as range_windows
from wallaroo.windows.timers import Timers
from wallaroo.windows.upstreams import UpstreamClock
from wallaroo.windows.watermark import SourceClock, WatermarkStore


class Patch(NamedTuple):
    """`broken` makes of what `name` is in `owner` what it is instead."""

    owner: object
    name: str
    broken: object


@contextmanager
def applied(patches):
    before = [vars(patch.owner)[patch.name] for patch in patches]
    for patch, original in zip(patches, before, strict=True):
        setattr(patch.owner, patch.name, patch.broken(original))
    try:
        yield
    finally:
        for patch, original in zip(patches, before, strict=True):
            setattr(patch.owner, patch.name, original)


def found_after(name, first, most):
    """After how many seeds the code that is broken so is found, and the failure; None if it is not."""
    with applied(MUTATIONS[name]):
        for number, failure in enumerate(simulate(first, most)):
            if failure is not None:
                return number + 1, failure
    return None


def _nothing(_function):
    return lambda *_arguments: None


def _only_dirty(_rollback):
    def forget_dirty(self):
        self._forget(self._dirty)
        self._dirty.clear()
        self._in_flight = {}
        self._tombstones = []

    return forget_dirty


# The tasks that have processed something, by partition.
_tasks = {}


def _noted(process):
    def process_and_note(self, records):
        rewind = process(self, records)
        _tasks[self.partition] = self
        return rewind

    return process_and_note


def _of_now(offsets):
    def offsets_of_now(commit):
        made = offsets.fget(commit)
        for tp, batch in zip(made, commit.batches, strict=True):
            task = _tasks.get(batch.partition)
            tp.offset = tp.offset if task is None else max(tp.offset, task.next_offset)
        return made

    return property(offsets_of_now)


def _with_outputs(rollback):
    def rollback_with_outputs(self):
        outputs = self._outputs[:]
        offset = rollback(self)
        self._outputs.extend(outputs)
        return offset

    return rollback_with_outputs


def _emptied(rebuild):
    def rebuild_nothing(self, watermark):
        rebuild(self, watermark)
        self.heap.clear()

    return rebuild_nothing


def _one_short(take):
    def take_without_the_last(self, topic, messages):
        is_last = messages[-1].offset() >= self.end - 2
        if is_last and len(messages) > 1:
            take(self, topic, messages[:-1])
        elif not is_last:
            take(self, topic, messages)

    return take_without_the_last


def _without_tombstones(restore_one):
    def restore_values(self, key, data):
        if data is not None:
            restore_one(self, key, data)

    return restore_values


def _silently(_policy):
    return lambda _step, _touch, _time, _emit: lambda _message, _key, _origin: None


def _batches_one_short(expand):
    def expand_one_short(records, partition, **options):
        expanded = list(expand(records, partition, **options))
        return expanded[:-1] if len(expanded) > len(records) else expanded

    return expand_one_short


def _twice(reject):
    def reject_twice(self, record, stage, error):
        reject(self, record, stage, error)
        reject(self, record, stage, error)

    return reject_twice


def _no_changes(_changes):
    return lambda _self, _start, _next_offset: ()


def _no_watermarks(restore_watermarks):
    def forget_watermarks(self, set_back):
        restore_watermarks(self, set_back)
        self._known = {}
        return {}

    return forget_watermarks


def _kept(_drop):
    def keep_tasks(self, partitions):
        for tp in partitions:
            self.restorer.cancel(tp.partition)

    return keep_tasks


def _in_hand(process):
    def process_what_is_in_hand(self, number, messages):
        self.rewound.discard(number)
        return process(self, number, messages)

    return process_what_is_in_hand


def _outputs_only(undo):
    def undo_outputs_only(self, written, saved):
        stores, self._stores = self._stores, ()
        undo(self, written, saved)
        self._stores = stores
        for store in stores:
            store.keep()

    return undo_outputs_only


def _believing(answer):
    def answer_without_a_look_at_the_end(self, question, end, ends):
        answer(self, question, None if end is None else self._position, ends)

    return answer_without_a_look_at_the_end


def _without_the_silent(update):
    def update_without_the_silent(self, upstream, status):
        self._silent.clear()
        update(self, upstream, status)

    return update_without_the_silent


def _by_offset(_advance):
    """As it was before the simulation had found the error."""

    def look_at_those_that_have_read_on(self, tasks, request_ends):
        now = self._clock.monotonic()
        for task in tasks:
            seen = self._seen.get(task.partition.number)
            if seen is None or seen[0] != task.next_offset:
                self._observe(task, now)
        seen = dict(self._seen)
        answered = self._take_answer(tasks)
        self._seen = seen
        if not answered and now < self._next_look:
            return False
        return self._look(tasks, now, request_ends) or answered

    return look_at_those_that_have_read_on


def _by_their_ends(_held):
    """As it was before the simulation had found the error."""
    return lambda self, topic: any(end for place, end in self._ends.items() if place[0] == topic)


MUTATIONS = {
    "an abort leaves states as they are": [Patch(MemoryStore, "rollback", _nothing)],
    "an abort forgets what is dirty, not what is in flight": [Patch(MemoryStore, "rollback", _only_dirty)],
    "a commit names the offset of the next batch": [
        Patch(Task, "process", _noted),
        Patch(Commit, "offsets", _of_now),
    ],
    "a rewind keeps what has been written": [Patch(Task, "rollback", _with_outputs)],
    "a restore or rollback forgets which windows are due": [Patch(Timers, "rebuild", _emptied)],
    "a restore stops one record early": [Patch(restore._Reading, "take", _one_short)],
    "a restore leaves out tombstones": [Patch(MemoryStore, "restore", _without_tombstones)],
    "late records are dropped without a word": [Patch(range_windows, "late_policy", _silently)],
    "a record batch is expanded without its last record": [
        Patch(task_group, "expand_batches", _batches_one_short)
    ],
    "a dead letter is written twice": [Patch(FailureHandler, "reject", _twice)],
    "no commit stores the position of its state": [Patch(PositionLog, "changes", _no_changes)],
    "a restore or rollback forgets the watermarks": [Patch(WatermarkStore, "restore", _no_watermarks)],
    "a task stays when its partition is revoked": [Patch(Loop, "_drop", _kept)],
    "records in hand are processed after a rewind": [Patch(TaskGroup, "process", _in_hand)],
    "a record that fails in a replay leaves its state": [Patch(RecordTransaction, "_undo", _outputs_only)],
    "the clock closes windows over a backlog": [Patch(SourceClock, "answer", _believing)],
    "an upstream that has said nothing is not waited for": [
        Patch(UpstreamClock, "update", _without_the_silent)
    ],
}
# What the simulation has found in the service, and is no longer there.
MENDED = {
    "an aborted first commit is taken for records": [Patch(Fed, "_held", _by_their_ends)],
    "nobody looks at a task that a commit makes busy": [Patch(EndOffsets, "advance_wall_clock", _by_offset)],
}
