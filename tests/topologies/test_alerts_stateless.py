"""The stateless alerts on the driver."""

from collections import Counter

import pytest

from tests.topologies.generate import Mix, transactions
from tests.topologies.reference import exactly, expected_stateless, read_alerts
from topologies import alerts_stateless
from wallaroo.testing import ApplicationDriver


def make_driver(*options):
    application = alerts_stateless.application_setup(["wallaroo", *options])
    return ApplicationDriver(application, partitions=3, module=alerts_stateless)


def pay(driver, *amounts):
    for amount in amounts:
        driver.send("transactions", f'{{"user": "Fido", "amount": {amount}}}', key="Fido")


def test_an_amount_beyond_the_limit_raises_an_alert():
    driver = make_driver()
    pay(driver, 1000, -1000.0, 1001, -1000.5)
    driver.run()
    assert driver.read("alerts") == [
        b'{"kind":"deposit","user":"Fido","amount":1001}',
        b'{"kind":"withdrawal","user":"Fido","amount":-1000.5}',
    ]


def test_an_alert_is_keyed_by_its_user():
    driver = make_driver()
    driver.send("transactions", '{"user": "Zoë", "amount": 1286}', key="anything")
    driver.run()
    assert [record.key for record in driver.records("alerts")] == ["Zoë".encode()]


def test_with_out_alerts_go_to_tcp_as_lines_of_text():
    driver = make_driver("-o", "127.0.0.1:7777")
    pay(driver, 2286, -2286)
    driver.run()
    assert driver.read("127.0.0.1:7777") == [
        b"Deposit Alert for Fido: 2286\n",
        b"Withdrawal Alert for Fido: -2286\n",
    ]


def test_nothing_is_kept_and_nothing_repartitioned():
    described = make_driver().describe()
    assert "changelog" not in described
    assert "repartition" not in described


@pytest.mark.parametrize("seed", range(2))
def test_alerts_and_dead_letters_are_those_of_the_model(seed):
    driver = make_driver()
    stream = transactions(seed, 800, Mix(overflows=0.02))
    for key, value in stream:
        driver.send("transactions", value, key=key)
    driver.run()
    wanted = expected_stateless(stream)
    alerts = read_alerts((record.key, record.value) for record in driver.records("alerts"))
    assert exactly(alerts) == exactly(wanted.alerts_by_user)
    assert Counter(dead.value for dead in driver.dead_letters()) == Counter(wanted.dead)
