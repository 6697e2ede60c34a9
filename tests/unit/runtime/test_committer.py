"""The committer: one commit in flight, which ends, or ends the worker."""

import threading

import pytest

from wallaroo.engine.committer import Committer, longest_flight_seconds
from wallaroo.engine.transaction import Commit, CommitResult, Outcome
from wallaroo.errors import CommitError

COMMIT = Commit((), None)


def test_a_commit_that_ends_is_landed_with_its_outcome():
    committer = Committer(lambda _commit: CommitResult(Outcome.COMMITTED))
    committer.start(COMMIT)
    assert committer.land() == (COMMIT, CommitResult(Outcome.COMMITTED))


def test_a_commit_that_never_ends_ends_the_worker_instead_of_holding_it_for_ever():
    never = threading.Event()
    committer = Committer(
        lambda _commit: CommitResult(Outcome(never.wait() and "committed")), longest_seconds=0.01
    )
    committer.start(COMMIT)
    with pytest.raises(CommitError, match=r"not ended within 0.01 s"):
        committer.land()
    never.set()


def test_a_commit_that_is_out_of_time_counts_as_landed_so_that_an_idle_loop_notices():
    never = threading.Event()
    committer = Committer(
        lambda _commit: CommitResult(Outcome(never.wait() and "committed")), longest_seconds=0
    )
    committer.start(COMMIT)
    assert committer.landed
    never.set()


def test_waiting_ends_with_the_commit():
    go = threading.Event()
    committer = Committer(lambda _commit: CommitResult(Outcome(go.wait() and "committed")))
    committer.start(COMMIT)
    committer.wait(0.001)
    assert not committer.landed
    go.set()
    committer.wait(60)
    assert committer.landed


def test_without_a_commit_nothing_is_waited_for():
    Committer(lambda _commit: CommitResult(Outcome.COMMITTED)).wait(60)


def test_a_commit_may_take_until_the_broker_has_ended_its_transaction():
    assert longest_flight_seconds(60_000) == 70
