"""Committer: the thread in which a loop's commits are in flight, one at a time."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from wallaroo.engine.transaction import Commit, CommitResult, Writer, nothing_more
from wallaroo.errors import CommitError

_LONGEST_FLIGHT_SECONDS = 30.0
# The broker looks for transactions that have timed out every ten seconds.
_TIMED_OUT_SECONDS = 10.0


def longest_flight_seconds(transaction_timeout_ms: int) -> float:
    """Longer than any commit that still can succeed: its transaction has been ended by the broker.

    After a broker's restart librdkafka 2.16 may never return from a call of a transaction; the worker then is
    started again, and the sooner the better.
    """
    return transaction_timeout_ms / 1000 + _TIMED_OUT_SECONDS


class Committer:
    """At most one commit in flight, on a thread of its own; `finish` runs in the thread that lands it."""

    def __init__(
        self, write: Writer, finish: Writer = nothing_more, longest_seconds: float = _LONGEST_FLIGHT_SECONDS
    ) -> None:
        self._write = write
        self._finish = finish
        self._longest_seconds = longest_seconds
        self._deadline = 0.0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._flight: Future[CommitResult] | None = None
        self._commit: Commit | None = None

    @property
    def in_flight(self) -> bool:
        return self._flight is not None

    @property
    def landed(self) -> bool:
        """Whether `land` need not wait: the commit has ended, or it never will."""
        return self._flight is not None and (self._flight.done() or time.monotonic() >= self._deadline)

    def wait(self, seconds: float) -> None:
        """Until the commit in flight has ended, or for so long."""
        if self._flight is not None:
            wait([self._flight], seconds)

    def start(self, commit: Commit) -> None:
        self._commit = commit
        self._deadline = time.monotonic() + self._longest_seconds
        self._flight = self._thread.submit(self._write, commit)

    def land(self) -> tuple[Commit, CommitResult] | None:
        """Wait for the commit in flight; its fatal error, if it has one, is raised here.

        Raises CommitError where it does not end in time.
        """
        if self._flight is None or self._commit is None:
            return None
        flight, commit = self._flight, self._commit
        self._flight = self._commit = None
        try:
            landing = flight.result(max(0.0, self._deadline - time.monotonic()))
        except TimeoutError as error:
            raise CommitError(f"a commit has not ended within {self._longest_seconds:g} s") from error
        return commit, self._finish(commit) if landing.committed else landing

    def close(self) -> None:
        self._thread.shutdown(wait=True)
