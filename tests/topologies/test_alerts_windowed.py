"""The windowed alerts on the driver: the sum of each user's last nine seconds, every three seconds."""

import json
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies import alerts_windowed
from wallaroo.testing import ApplicationDriver, Pace

STAGE = "sum of transactions"
BY_USER = "--partitioned-by-user"


def make_driver(*options, partitions=3, pace=None):
    application = alerts_windowed.application_setup(["wallaroo", *options])
    return ApplicationDriver(application, partitions=partitions, pace=pace, module=alerts_windowed)


def pay(driver, *payments):
    """Each payment is (user, amount, second)."""
    for user, amount, second in payments:
        value = json.dumps({"user": user, "amount": amount}, ensure_ascii=False)
        driver.send("transactions", value, key=user, timestamp_ms=second * 1000)


def end_of_stream(driver):
    """Nine idle seconds, which is what the application waits for."""
    driver.run()
    driver.advance(9_000)
    driver.run()
    return driver


def alerts(driver):
    """(second in which the window ends, alert) in order."""
    return [((r.timestamp_ms + 1) // 1000, json.loads(r.value)) for r in driver.records("alerts")]


def deposit(user, total):
    return {"kind": "deposit", "user": user, "total": total}


def test_the_sum_of_nine_seconds_counts_and_not_the_running_total():
    driver = make_driver()
    pay(driver, ("Fido", 1500, 1), ("Fido", 786, 4), ("Fido", 1500, 30), ("Fido", 400, 31))
    end_of_stream(driver)
    assert alerts(driver) == [(6, deposit("Fido", 2286)), (9, deposit("Fido", 2286))]


def test_a_withdrawal_in_every_window_that_is_beyond_the_limit():
    driver = make_driver(BY_USER)
    pay(driver, ("Fido", -2000.5, 3))
    end_of_stream(driver)
    assert alerts(driver) == [
        (end, {"kind": "withdrawal", "user": "Fido", "total": -2000.5}) for end in (6, 9, 12)
    ]


def test_a_sum_at_the_limit_raises_none():
    driver = make_driver()
    pay(driver, ("Fido", 2000, 1), ("Rex", -2000.0, 1))
    end_of_stream(driver)
    assert driver.read("alerts") == []


def test_a_window_fires_when_time_has_passed_it_and_not_before():
    driver = make_driver()
    pay(driver, ("Fido", 2286, 1), ("Fido", 0, 2))
    driver.run()
    assert driver.read("alerts") == []
    pay(driver, ("Fido", 0, 3))
    driver.run()
    assert alerts(driver) == [(3, deposit("Fido", 2286))]


def test_another_users_transaction_moves_the_time():
    driver = make_driver(partitions=1)
    pay(driver, ("Fido", 2286, 1), ("Rex", 1, 4))
    driver.run()
    assert alerts(driver) == [(3, deposit("Fido", 2286))]


def test_an_alert_is_keyed_by_its_user():
    driver = make_driver()
    pay(driver, ("Zoë", 2286, 1))
    end_of_stream(driver)
    assert {record.key for record in driver.records("alerts")} == {"Zoë".encode()}


def test_nothing_is_kept_of_windows_that_have_fired():
    driver = make_driver()
    pay(driver, ("Fido", 2286, 1), ("Rex", 1, 5))
    driver.run()
    assert driver.state(STAGE, "Rex") is not None
    end_of_stream(driver)
    assert driver.state(STAGE, "Fido") is None
    assert driver.state(STAGE, "Rex") is None


def test_a_sum_that_is_no_finite_number_is_a_dead_letter_and_harms_nobody_else():
    driver = make_driver(BY_USER, partitions=1)
    pay(driver, ("Fido", 1e308, 3), ("Fido", 1e308, 4), ("Rex", 2286, 4))
    end_of_stream(driver)
    assert [(dead.stage, dead.key) for dead in driver.dead_letters()] == [(STAGE, b"Fido")] * 3
    assert alerts(driver) == [(end, deposit("Rex", 2286)) for end in (6, 9, 12)]


def test_with_out_alerts_go_to_tcp_as_lines_of_text():
    driver = make_driver("--out", "127.0.0.1:7777")
    pay(driver, ("Fido", 2286, 8), ("Zoë", -2286.5, 8))
    end_of_stream(driver)
    assert sorted(set(driver.read("127.0.0.1:7777"))) == [
        b"Deposit Alert for Fido: 2286\n",
        "Withdrawal Alert for Zoë: -2286.5\n".encode(),
    ]


def test_a_declared_partitioning_leaves_the_hop_out():
    assert "repartition" in make_driver().describe()
    assert "repartition" not in make_driver(BY_USER).describe()
    assert "windows of 9 s every 3 s, late: drop" in make_driver().describe()


def expected(payments):
    """By user: the end and the sum of every window that is beyond the limit."""
    found = defaultdict(list)
    for user in sorted({user for user, _, _ in payments}):
        for end in range(3, 100, 3):
            total = sum(a for u, a, second in payments if u == user and end - 9 <= second < end)
            if abs(total) > 2000:
                found[user].append((end, total))
    return found


def by_user(driver):
    found = defaultdict(list)
    for end, alert in alerts(driver):
        assert alert["kind"] == ("deposit" if alert["total"] > 0 else "withdrawal")
        found[alert["user"]].append((end, alert["total"]))
    return found


payments = st.lists(
    st.tuples(st.sampled_from(["Fido", "Rex", "Zoë"]), st.integers(-3000, 3000), st.integers(0, 60)),
    max_size=40,
).map(lambda made: sorted(made, key=lambda payment: payment[2]))


@pytest.mark.parametrize("options", [(), (BY_USER,)], ids=["hop", "no hop"])
@settings(deadline=None, max_examples=30)
@given(
    sent=payments,
    crashes=st.lists(st.integers(0, 25), max_size=5),
    commit_every=st.integers(1, 9) | st.none(),
    partitions=st.integers(1, 5),
    rng=st.randoms(use_true_random=False),
)
def test_a_crash_at_any_record_changes_nothing(options, sent, crashes, commit_every, partitions, rng):
    pace = Pace(slice_size=7, commit_every=commit_every, order=rng.choice)
    driver = make_driver(*options, partitions=partitions, pace=pace)
    pay(driver, *sent)
    for records in crashes:
        driver.step(records)
        driver.crash()
    assert by_user(end_of_stream(driver)) == expected(sent)
