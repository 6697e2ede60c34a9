"""Traffic: transactions of users that nobody else has, and what must have become of them in the end."""

import json
import random
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import takewhile

from confluent_kafka import Message

from tests.kafka.cluster import Sent, produce, read_topic, wait_until
from tests.kafka.load import Feed, feeding
from tests.kafka.model import MALFORMED, Alerts, Expected, alerts_in, dead_as_read, dead_in, transaction

IN, OUT, DEAD = "transactions", "alerts", "alerts-stateful-dlq"
SETTLE_SECONDS = 120
# Enough that every partition of every topic gets some.
LAST_USERS = 40
_SHOWN = 4


@dataclass(slots=True)
class Ledger:
    """What a whole run has done: printed in the end."""

    faults: list[str] = field(default_factory=list)
    alerts: int = 0
    lost: int = 0
    doubled: int = 0

    def enter(self, wanted: Alerts, found: Alerts) -> None:
        """Count before anybody asserts, so that a failed test is in the sum."""
        expected, seen = _each(wanted), _each(found)
        self.alerts += expected.total()
        self.lost += (expected - seen).total()
        self.doubled += (seen - expected).total()


@dataclass(slots=True)
class Traffic:
    """Transactions of one test, on the topics that all of them share."""

    servers: str
    prefix: str
    ledger: Ledger
    rng: random.Random
    expected: Expected = field(default_factory=Expected)

    def feeding(self, count: int, seconds: float) -> AbstractContextManager[Feed]:
        """Send in the background, evenly over some seconds, while the body of the `with` runs."""
        records = [self._record() for _ in range(count)]
        self.expected.add(records)
        return feeding(self.servers, IN, records, seconds)

    def send(self, records: list[Sent]) -> None:
        self.expected.add(records)
        produce(self.servers, IN, records)

    def send_more(self) -> None:
        """Something for every partition of every topic, which ends what is open there."""
        self.send([self._record() for _ in range(400)])

    def fault(self, what: str) -> None:
        self.ledger.faults.append(what)

    def check(self) -> None:
        """Once all has come through, alerts and dead letters are what the model says, no more, no less.

        Alerts come in the order of their partition, so behind those of the last users nothing is pending.
        """
        last = [f"{self.prefix}-last-{number}" for number in range(LAST_USERS)]
        self.send([transaction(user, 5000) for user in last])
        wait_until(lambda: set(last) <= self.alerts(OUT).keys(), SETTLE_SECONDS)
        found = self.alerts(OUT)
        self.ledger.enter(self.expected.alerts, found)
        different = divergences(found, self.expected.alerts)
        assert not different, f"found, and wanted: {different}"
        assert dead_in(self._own(DEAD)) == dead_as_read(self.expected)

    def alerts(self, topic: str) -> Alerts:
        return alerts_in(self._own(topic))

    def _own(self, topic: str) -> Iterable[Message]:
        prefix = self.prefix.encode()
        messages = read_topic(self.servers, topic, timeout_seconds=SETTLE_SECONDS)
        return [message for message in messages if (message.key() or b"").startswith(prefix)]

    def _record(self) -> Sent:
        user = f"{self.prefix}-Käfer-{self.rng.randrange(40)}"
        if not self.rng.randrange(50):
            return Sent(user, self.rng.choice(MALFORMED))
        return transaction(user, self.rng.randrange(-700, 705))


def in_lines(lines: Iterable[str], prefix: str) -> Alerts:
    """The alerts in what a TCP receiver has printed, as `alerts_in` has them of a topic."""
    alerts: Alerts = {}
    for line in lines:
        kind, found, rest = line.partition(" Alert for ")
        user, _, total = rest.rpartition(": ")
        if found and user.startswith(prefix):
            assert kind == ("Deposit" if float(total) > 0 else "Withdrawal")
            alerts.setdefault(user, []).append(json.loads(total))
    return alerts


def divergences(found: Alerts, wanted: Alerts) -> dict[str, tuple[list[float], list[float]]]:
    """For every user whose alerts differ, both from the first difference on, a few of them."""
    different = [user for user in {*found, *wanted} if found.get(user) != wanted.get(user)]
    return {user: _from_first_difference(found.get(user, []), wanted.get(user, [])) for user in different}


def _from_first_difference(found: list[float], wanted: list[float]) -> tuple[list[float], list[float]]:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(found, wanted, strict=False))
    start = sum(1 for _ in same)
    return found[start : start + _SHOWN], wanted[start : start + _SHOWN]


def _each(alerts: Alerts) -> Counter[tuple[str, float]]:
    return Counter((user, total) for user, totals in alerts.items() for total in totals)
