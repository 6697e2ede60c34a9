"""The benchmarks hang on to names inside the engine; a change there must not break them unnoticed."""

import pytest

from benchmarks.watched_worker import CLOCKED


@pytest.mark.parametrize(("owner", "name", "phase"), CLOCKED)
def test_what_the_watched_worker_clocks_exists(owner, name, phase):
    assert callable(getattr(owner, name)), phase
