"""The stateful alerts on the driver."""

import json

import pytest

from topologies import alerts_stateful
from wallaroo.testing import ApplicationDriver

STAGE = "check transaction total"


def make_driver(*options, partitions=3):
    application = alerts_stateful.application_setup(["wallaroo", *options])
    return ApplicationDriver(application, partitions=partitions, module=alerts_stateful)


def pay(driver, *payments):
    """Each payment is (user, amount); keyed by user, as JSON."""
    for user, amount in payments:
        value = json.dumps({"user": user, "amount": amount}, ensure_ascii=False)
        driver.send("transactions", value, key=user)


def test_a_total_beyond_the_limit_raises_an_alert_every_time():
    driver = make_driver()
    pay(driver, ("Fido", 1500), ("Fido", 786), ("Fido", 1), ("Fido", -287), ("Fido", 1))
    driver.run()
    assert driver.read("alerts") == [
        b'{"kind":"deposit","user":"Fido","total":2286}',
        b'{"kind":"deposit","user":"Fido","total":2287}',
        b'{"kind":"deposit","user":"Fido","total":2001}',
    ]


def test_a_total_below_the_limit_raises_a_withdrawal_alert():
    driver = make_driver()
    pay(driver, ("Fido", -2000), ("Fido", -0.5))
    driver.run()
    assert driver.read("alerts") == [b'{"kind":"withdrawal","user":"Fido","total":-2000.5}']


def test_a_total_at_the_limit_raises_none():
    driver = make_driver()
    pay(driver, ("Fido", 2000), ("Rex", -2000.0))
    driver.run()
    assert driver.read("alerts") == []
    assert driver.state(STAGE, "Fido").total == 2000


def test_users_have_totals_of_their_own():
    driver = make_driver()
    pay(driver, ("Fido", 1500), ("Rex", 1500), ("", 1500), ("Zoë", 1500))
    driver.run()
    assert driver.read("alerts") == []
    assert [driver.state(STAGE, user).total for user in ("Fido", "Rex", "", "Zoë")] == [1500] * 4


def test_an_alert_is_keyed_by_its_user():
    driver = make_driver()
    pay(driver, ("Zoë", 2286))
    driver.run()
    assert [record.key for record in driver.records("alerts")] == ["Zoë".encode()]


def test_a_user_is_one_user_whatever_the_records_are_keyed_by():
    driver = make_driver(partitions=1)
    driver.send("transactions", '{"user": "Fido", "amount": 1500}', key="one")
    driver.send("transactions", '{"user": "Fido", "amount": 786}', key="two")
    driver.send("transactions", '{"user": "Fido", "amount": 1}', key=None)
    driver.run()
    assert [json.loads(value)["total"] for value in driver.read("alerts")] == [2286, 2287]


def test_a_declared_partitioning_leaves_the_hop_out():
    assert "repartition" in make_driver().describe()
    assert "repartition" not in make_driver("--partitioned-by-user").describe()


@pytest.mark.parametrize("key", [None, "Rex", ""])
def test_a_declared_partitioning_is_checked(key):
    driver = make_driver("--partitioned-by-user")
    driver.send("transactions", '{"user": "Fido", "amount": 2500}', key=key)
    driver.run()
    assert [dead.stage for dead in driver.dead_letters()] == ["extract_user"]
    assert driver.read("alerts") == []
    assert driver.state(STAGE, "Fido") is None


@pytest.mark.parametrize(
    ("total", "amount"),
    [("1e308", "1e308"), ("-1e308", "-1e308"), ("1e308", "1" + "0" * 400), ("1" + "0" * 400, "0.5")],
)
def test_a_total_that_is_no_finite_number_is_a_dead_letter_and_changes_nothing(total, amount):
    driver = make_driver("--partitioned-by-user")
    driver.send("transactions", f'{{"user": "Fido", "amount": {total}}}', key="Fido")
    driver.run()
    before = driver.state(STAGE, "Fido").total
    driver.send("transactions", f'{{"user": "Fido", "amount": {amount}}}', key="Fido")
    driver.run()
    assert [dead.stage for dead in driver.dead_letters()] == [STAGE]
    assert driver.state(STAGE, "Fido").total == before == json.loads(total)
    assert len(driver.read("alerts")) == 1


def test_with_out_alerts_go_to_tcp_as_lines_of_text():
    driver = make_driver("--out", "127.0.0.1:7777")
    pay(driver, ("Fido", 2286), ("Zoë", -2286.5), ("a\nb", 10**20))
    driver.run()
    assert sorted(driver.read("127.0.0.1:7777")) == [
        b"Deposit Alert for Fido: 2286\n",
        b"Deposit Alert for a\\nb: 100000000000000000000\n",
        "Withdrawal Alert for Zoë: -2286.5\n".encode(),
    ]


def test_several_addresses_get_all_alerts_each():
    driver = make_driver("--out", "127.0.0.1:7777,127.0.0.1:7778", "--partitioned-by-user")
    pay(driver, ("Fido", 2286))
    driver.run()
    assert driver.read("127.0.0.1:7777") == driver.read("127.0.0.1:7778") != []


def test_an_address_without_a_port_is_refused():
    with pytest.raises(SystemExit):
        alerts_stateful.application_setup(["wallaroo", "--out", "localhost"])
