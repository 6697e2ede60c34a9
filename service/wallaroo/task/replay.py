"""Replay after a failure: record by record, each one done or undone as a whole."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import Any

from wallaroo.errors import NOT_OF_USER_CODE, RecordError, StateError
from wallaroo.record import Cause, Causes, Output, RawRecord
from wallaroo.task.context import StageError, TaskContext
from wallaroo.task.dead_letters import FailureHandler
from wallaroo.task.limits import RecordLimits, RefusedRecord
from wallaroo.task.steps import compose
from wallaroo.topology.model import SubTopology
from wallaroo.windows.stage import DueWindow

_SHORTEST_WINDOW_RECORDS = 1_000
_LONGEST_WINDOW_RECORDS = 64_000

# The stage that failed, and why.
Failure = tuple[str, BaseException]


class ReplayWindow:
    """The offsets that are processed record by record; a stream that keeps failing widens the window."""

    def __init__(self, start: int) -> None:
        self.last_offset = start - 1
        # More than one where record batches are read.
        self.records_per_offset = 1
        self._size_records = 0

    def open(self, failed_offset: int) -> None:
        """A slice failed at this offset and is read again: replay it, and a while beyond."""
        distance_records = (failed_offset - self.last_offset) * self.records_per_offset
        if self._size_records and distance_records < _LONGEST_WINDOW_RECORDS:
            self._size_records = min(self._size_records * 2, _LONGEST_WINDOW_RECORDS)
        else:
            self._size_records = _SHORTEST_WINDOW_RECORDS
        self.last_offset = failed_offset + self._size_offsets

    def extend(self, failed_offset: int) -> None:
        """A record failed within the window: without a longer one, the next failure would rewind again."""
        self.last_offset = max(self.last_offset, failed_offset + self._size_offsets)

    @property
    def _size_offsets(self) -> int:
        return self._size_records // self.records_per_offset


class RecordTransaction:
    """Does what one record (or one window) requires, or nothing of it: outputs, control records and state."""

    def __init__(self, sub_topology: SubTopology, context: TaskContext, outputs: list[Output]) -> None:
        """`context` is that of replay mode."""
        self._emit, _ = compose(sub_topology, context)
        self._outputs = outputs
        self._stores = context.stores.values()
        self._writers = context.writers.values()
        self._reports, self._clock = context.time.reports, context.time.clock
        self._limits: RecordLimits | None = None
        # The topic that refused what came from a record or window, and why. Not the refused record itself:
        # there can be any number of them until the replay is over, each as large as can be.
        self._refused: dict[Cause, tuple[str, str]] = {}
        # Whether nothing has been processed elsewhere since the last commit, and what came from where.
        self.did_all = True
        self._causes: dict[int, Cause] = {}
        self._causes_of_changes: dict[tuple[str, bytes], Cause] = {}
        self._changelogs = {store.name: store.changelog for store in sub_topology.stores}
        self._stages = sub_topology.stages
        # The names of sinks and of stateful stages, by the topic that they write to.
        self._writing_stages = {target.topic: target.name for target in sub_topology.targets}
        self._writing_stages |= {self._changelogs[store]: stage for store, stage in self._stages.items()}

    def enforce(self, limits: RecordLimits) -> None:
        """From now on, a record fails whose results a topic would refuse."""
        self._limits = limits

    def refuse(self, cause: Cause, refused: RefusedRecord) -> None:
        """From now on, this record or window fails: a topic has refused what came from it."""
        self._refused[cause] = refused.output[0], refused.why

    @property
    def causes(self) -> Causes | None:
        """What the outputs and changes since `start_batch` came from, if it all came from here."""
        if not self.did_all:
            return None
        return Causes(dict(self._causes), dict(self._causes_of_changes))

    def start_batch(self) -> None:
        self.did_all = True
        self._causes.clear()
        self._causes_of_changes.clear()

    def forget_refused(self, committed: int, *, is_over: bool) -> None:
        """Records in front of this offset are committed, and `is_over` says that the replay has ended."""
        if is_over:
            self._refused.clear()
        elif self._refused:
            # What a window led to stays until the end of the replay.
            self._refused = {
                cause: why for cause, why in self._refused.items() if not _is_before(cause, committed)
            }

    def process(self, record: RawRecord, value: Any, cause: Cause) -> Failure | None:
        """Take a record and its decoded value through the sub-topology; a failed one moves no clock."""
        take = partial(self._emit, value, record.key(), record)
        if self._clock is None:
            return self.attempt(take, cause)
        watermark = self._clock.watermark
        failure = self.attempt(take, cause)
        if failure is not None:
            self._clock.watermark = watermark
        return failure

    def attempt(self, work: Callable[[], None], cause: Cause | None) -> Failure | None:
        """Do the work, or undo all of it and return why it failed."""
        written = len(self._outputs)
        saved = [writer.saved for writer in self._writers]
        try:
            work()
            for writer in self._writers:
                writer.flush()
            if self._limits is not None:
                self._check(self._limits, self._outputs[written:])
            if cause is not None:
                self._raise_refused(cause)
                self._note(written, cause)
            for store in self._stores:
                store.keep()
        except StageError as error:
            self._undo(written, saved)
            return str(error), error.__cause__ or error
        except StateError as error:
            self._undo(written, saved)
            return self._stages.get(error.stage, error.stage), error
        return None

    def fire(self, windows: Iterable[DueWindow], failures: FailureHandler) -> None:
        """Fire windows, each by itself; one that fails is rejected and closed all the same."""
        for window in windows:
            failure = self.attempt(partial(_fire, window), cause_of(window))
            if failure is not None:
                failures.reject(window, *failure)
                self.attempt(window.discard, None)

    def _raise_refused(self, cause: Cause) -> None:
        refused = self._refused.get(cause)
        if refused is None:
            return
        topic, why = refused
        stage = self._writing_stages.get(topic, topic)
        raise StageError(stage) from RecordError(f"{topic} refuses the record: {why}")

    def _note(self, written: int, cause: Cause) -> None:
        for index in range(written, len(self._outputs)):
            self._causes[index] = cause
        for store in self._stores:
            changelog = self._changelogs[store.name]
            for key in store.touched:
                self._causes_of_changes[changelog, key] = cause

    def _check(self, limits: RecordLimits, outputs: Iterable[Output]) -> None:
        changes = (
            (self._changelogs[store.name], current, key)
            for store in self._stores
            for key in store.touched
            if (current := store.current(key)) != store.get(key)
        )
        for output in chain(outputs, changes):
            try:
                limits.check(output)
            except RecordError as error:
                raise StageError(self._writing_stages.get(output[0], output[0])) from error

    def _undo(self, written: int, saved: Iterable[int]) -> None:
        for writer, saved_before in zip(self._writers, saved, strict=True):
            writer.discard(saved_before)
        if self._reports is not None:
            self._reports.withdraw(self._outputs[written:])
        del self._outputs[written:]
        # Timers set meanwhile can stay: a timer may be out of date.
        for store in self._stores:
            store.undo()


def cause_of(window: DueWindow) -> Cause:
    return window.stage, window.due, window.of_key


def _is_before(cause: Cause, offset: int) -> bool:
    """Whether this is a record in front of an offset, and no window."""
    return isinstance(cause[0], int) and cause[0] < offset


def _fire(window: DueWindow) -> None:
    try:
        window.fire()
    except (StageError, *NOT_OF_USER_CODE):
        raise
    except BaseException as error:
        raise StageError(window.stage) from error
