"""The flow of the demo, on a feed and a tail that are a perfect application."""

import io
import json
from random import Random

from tests.topologies.reference import expected
from wallaroo.demo.flow import Flow, Screen
from wallaroo.demo.ledger import EVERY_MALFORMED, Ledger, Verdict, payments
from wallaroo.demo.traffic import Arrival


class Mirror:
    """Feed and tail in one: what is sent comes back as alerts and dead letters once all of it is there."""

    def __init__(self):
        self.sent = []
        self.finished = False
        self.at_end = True

    def send(self, key, value):
        self.sent.append((key, value))

    def finish(self):
        self.finished = True

    def read(self, timeout_seconds):
        if not self.finished:
            return []
        self.finished = False
        result = expected(self.sent)
        alerts = [alert for alerts in result.alerts_by_user.values() for alert in alerts]
        dead = [Arrival("the-dlq", value) for value in result.dead]
        return dead + [Arrival("alerts", json.dumps(alert).encode()) for alert in alerts]


def run(records):
    out, mirror, ledger, checks = io.StringIO(), Mirror(), Ledger(), []
    flow = Flow(Screen(out), mirror, mirror, lambda: checks.append(1))
    flow.run(payments(Random(5), ledger), records, 10**9, ledger)  # noqa: S311 - repeatable
    return flow, ledger, out.getvalue(), checks


def test_it_ends_when_all_that_is_due_has_come():
    flow, ledger, _, checks = run(EVERY_MALFORMED)
    assert flow.sent == EVERY_MALFORMED
    assert flow.alerts == ledger.due > 0
    assert flow.dead == ledger.malformed == 1
    assert flow.verdict(ledger) == Verdict()
    assert checks


def test_it_shows_the_first_ten_alerts_and_only_some_of_the_others():
    flow, _, shown, _ = run(EVERY_MALFORMED)
    alerts = [text for text in shown.splitlines() if "Alert for" in text]
    assert flow.alerts > 50
    assert 10 <= len(alerts) <= 12
