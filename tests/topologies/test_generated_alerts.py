"""Alerts from generated transactions, as the original's examples have them: the first alerts are known."""

from collections import namedtuple

import pytest

import wallaroo
from tests.samples import Total, extract_user, generator_source
from wallaroo.testing import ApplicationDriver

OUT = "127.0.0.1:7002"

Transaction = namedtuple("Transaction", "user amount")


class Transactions:
    """A number for each transaction; the amounts follow from each other."""

    def initial_value(self):
        return Transaction(0, 1)

    def apply(self, previous):
        return Transaction(previous.user + 1, next_amount(previous.amount))


class TransactionsOfUsers:
    """Five users in turn, each brought back when the own total goes beyond 5000 either way."""

    def __init__(self):
        self.users = ["Fido", "Rex", "Dr. Whiskers", "Feathers", "Mountaineer"]
        self.totals = dict.fromkeys(self.users, 0)

    def initial_value(self):
        return Transaction(self.users[0], 1)

    def apply(self, previous):
        user = self.users[(self.users.index(previous.user) + 1) % len(self.users)]
        amount = next_amount(previous.amount)
        if self.totals[user] > 5000:
            amount = -6000
        elif self.totals[user] < -5000:
            amount = 6000
        self.totals[user] += amount
        return Transaction(user, amount)


def next_amount(amount):
    return ((amount * 2305843009213693951 + 7) % 2500) - 1250


@wallaroo.computation(name="check transaction")
def check_transaction(transaction):
    return transaction if abs(transaction.amount) > 1000 else None


@wallaroo.state_computation(name="check total", state=Total)
def check_total(transaction, state):
    state.total += transaction.amount
    return Transaction(transaction.user, state.total) if abs(state.total) > 2000 else None


@wallaroo.encoder
def encode_alert(alert):
    kind = "Deposit" if alert.amount > 0 else "Withdrawal"
    return f"{kind} Alert for {alert.user}: {alert.amount}\n"


def driver_of(generator, add_stages):
    source = generator_source("transactions", generator)
    sink = wallaroo.TCPSinkConfig("127.0.0.1", 7002, encode_alert)
    return ApplicationDriver(wallaroo.build_application("alerts", add_stages(source).to_sink(sink)))


def alerts(driver):
    return b"".join(driver.read(OUT)).decode().splitlines()


@pytest.mark.parametrize("crash_after", [25, 1, 7])
def test_stateless_alerts_come_in_the_order_of_the_original(crash_after):
    driver = driver_of(Transactions(), lambda source: source.to(check_transaction))
    for _ in range(0, 25, crash_after):
        driver.generate("transactions", crash_after)
        driver.crash()
    driver.run()
    assert alerts(driver)[:6] == [
        "Deposit Alert for 3: 1072",
        "Withdrawal Alert for 10: -1179",
        "Withdrawal Alert for 15: -1144",
        "Withdrawal Alert for 16: -1187",
        "Withdrawal Alert for 17: -1080",
        "Withdrawal Alert for 24: -1131",
    ]


@pytest.mark.parametrize("crash_after", [31, 1, 7])
def test_stateful_alerts_of_each_user_are_those_of_the_original(crash_after):
    driver = driver_of(TransactionsOfUsers(), lambda source: source.key_by(extract_user).to(check_total))
    for _ in range(0, 31, crash_after):
        driver.generate("transactions", crash_after)
        driver.run()
        driver.crash()
    of_fido = [alert for alert in alerts(driver) if "Fido" in alert]
    of_mountaineer = [alert for alert in alerts(driver) if "Mountaineer" in alert]
    assert of_fido[:3] == [f"Withdrawal Alert for Fido: {total}" for total in (-2286, -2145, -3008)]
    assert of_mountaineer[:3] == [
        f"Withdrawal Alert for Mountaineer: {total}" for total in (-2374, -3505, -4101)
    ]
