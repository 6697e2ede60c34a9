"""The benchmarks hang on to names inside the engine; a change there must not break them unnoticed."""

import pytest

from benchmarks.watched_worker import CLOCKED
from wallaroo.engine import clients


@pytest.mark.parametrize(("owner", "name", "phase"), CLOCKED)
def test_what_the_watched_worker_clocks_exists(owner, name, phase):
    assert callable(getattr(owner, name)), phase


def test_the_watched_worker_notes_the_commits_of_the_clients_that_a_loop_opens():
    assert callable(clients.exactly_once)
