"""Careful work: piece by piece, and each piece undone as a whole where it fails."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from wallaroo.errors import StateError, StoredValueError
from wallaroo.record import Output
from wallaroo.state.store import KeyedStore
from wallaroo.task.context import StageError
from wallaroo.task.dead_letters import Rejections
from wallaroo.task.record_size import Limits, SizeCheck
from wallaroo.topology.model import SubTopology
from wallaroo.windows.control import WatermarkReports
from wallaroo.windows.stage import DueWindow


class Failure(NamedTuple):
    """What went wrong, and in which stage."""

    stage: str
    error: BaseException


class RecordTransaction:
    """Does one task's work in pieces, with the careful form of its stages."""

    def __init__(
        self,
        sub_topology: SubTopology,
        outbox: list[Output],
        stores: Mapping[str, KeyedStore],
        reports: WatermarkReports | None,
    ) -> None:
        self._sub_topology = sub_topology
        self._outbox = outbox
        self._stores = stores.values()
        self._reports = reports
        self._scales: SizeCheck | None = None

    def enforce_size_limits(self, limits: Limits) -> None:
        """From now on, what is too large has failed."""
        self._scales = SizeCheck(self._sub_topology, limits)

    def attempt(self, work: Callable[[], None]) -> Failure | None:
        """Do it all, or nothing of it and say why."""
        written = len(self._outbox)
        try:
            work()
            if self._scales is not None:
                self._scales.weigh(self._outbox[written:], self._stores)
            for store in self._stores:
                store.keep()
        except StageError as error:
            self._undo(written)
            return Failure(str(error), error.__cause__ or error)
        except StateError as error:
            self._undo(written)
            return Failure(self._sub_topology.stages.get(error.stage, error.stage), error)
        return None

    def fire(self, windows: Iterable[DueWindow], rejections: Rejections) -> None:
        """Fire windows, each by itself; one that fails is rejected and closed all the same."""
        for window in windows:
            failure = self.attempt(partial(_fire, window))
            if failure is not None:
                rejections.reject(window, failure.stage, failure.error)
                self.attempt(window.discard)

    def _undo(self, written: int) -> None:
        if self._reports is not None:
            self._reports.withdraw(self._outbox[written:])
        del self._outbox[written:]
        # Timers may be out of date, so those that were set meanwhile can stay.
        for store in self._stores:
            store.undo()


def _fire(window: DueWindow) -> None:
    try:
        window.fire()
    except (StageError, StoredValueError):
        raise
    except Exception as error:
        raise StageError(window.stage) from error
