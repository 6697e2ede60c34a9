"""A worker that keeps dying is started ever more slowly; one that has recovered is forgiven."""

import pytest

from wallaroo.engine.pacing import Backoff


def after(*lives):
    backoff = Backoff()
    for seconds in lives:
        backoff = backoff.after_failure(seconds)
    return backoff.seconds


def test_a_worker_that_never_died_waits_for_nothing():
    assert Backoff().seconds == 0


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(1, 0.2), (2, 0.4), (3, 0.8), (5, 3.2), (6, 5), (1000, 5), (2000, 5)]
)
def test_every_early_death_doubles_the_wait_up_to_half_a_minute(deaths, seconds):
    assert after(*[1.0] * deaths) == pytest.approx(seconds)


def test_a_worker_that_lived_long_begins_anew():
    assert after(1, 1, 1, 1, 30) == pytest.approx(0.2)


def test_a_worker_that_lived_not_quite_long_does_not():
    assert after(1, 29.9) == pytest.approx(0.4)
