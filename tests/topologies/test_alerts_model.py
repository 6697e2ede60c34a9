"""The stateful alerts against the reference model: nasty streams, partitions, paces, crashes."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topologies.generate import Mix, transactions
from tests.topologies.reference import exactly, expected, read_alerts
from topologies import alerts_stateful
from wallaroo.testing import ApplicationDriver, Pace

STAGE = "check transaction total"
BY_USER = "--partitioned-by-user"


def make_driver(stream, *options, partitions=4, pace=None):
    application = alerts_stateful.application_setup(["wallaroo", *options])
    driver = ApplicationDriver(application, partitions=partitions, pace=pace, module=alerts_stateful)
    for key, value in stream:
        driver.send("transactions", value, key=key)
    return driver


def assert_as_expected(driver, wanted):
    alerts = read_alerts((record.key, record.value) for record in driver.records("alerts"))
    totals = {user: driver.state(STAGE, user).total for user in wanted.totals}
    dead = driver.dead_letters()
    assert exactly(alerts) == exactly(wanted.alerts_by_user)
    assert exactly(totals) == exactly(wanted.totals)
    assert len(dead) == len(wanted.dead)
    # Behind the hop a dead letter is the internal record.
    seen = Counter(letter.value for letter in dead if letter.topic == "transactions")
    assert not seen - Counter(wanted.dead)
    assert not Counter(wanted.dead) - seen - Counter(wanted.failed)


@pytest.mark.parametrize("options", [(), (BY_USER,)], ids=["hop", "no hop"])
@pytest.mark.parametrize("partitions", [1, 4, 7])
def test_alerts_totals_and_dead_letters_are_those_of_the_model(options, partitions):
    stream = transactions(partitions, 1500, Mix(overflows=0.02, megabytes=1))
    driver = make_driver(stream, *options, partitions=partitions)
    driver.run()
    assert_as_expected(driver, expected(stream, partitioned_by_user=bool(options)))


def test_a_stream_keyed_by_something_else_gives_the_same():
    stream = transactions(11, 1500, Mix(keyed_by_user=False))
    driver = make_driver(stream)
    driver.run()
    assert_as_expected(driver, expected(stream))


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    crashes=st.lists(st.integers(0, 60), max_size=5),
    commit_every=st.integers(1, 40) | st.none(),
    partitions=st.integers(1, 5),
    options=st.sampled_from([(), (BY_USER,)]),
    rng=st.randoms(use_true_random=False),
)
def test_a_crash_at_any_record_changes_nothing(seed, crashes, commit_every, partitions, options, rng):
    stream = transactions(seed, 150, Mix(users=6, malformed=0.2, overflows=0.05))
    pace = Pace(slice_size=7, commit_every=commit_every, order=rng.choice)
    driver = make_driver(stream, *options, partitions=partitions, pace=pace)
    for records in crashes:
        driver.step(records)
        driver.crash()
    driver.run()
    assert_as_expected(driver, expected(stream, partitioned_by_user=bool(options)))
