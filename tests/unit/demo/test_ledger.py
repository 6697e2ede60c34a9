"""The ledger of the demo: what it pays, what is due for it, and how alerts are judged."""

import json
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.topologies.reference import expected
from wallaroo.demo.ledger import EVERY_MALFORMED, Ledger, Verdict, judge, line, payments


def paid(seed, count):
    """Payments, and the ledger as they are behind the last one."""
    ledger = Ledger()
    return list(islice(payments(Random(seed), ledger), count)), ledger  # noqa: S311 - repeatable


@pytest.mark.parametrize("seed", range(3))
def test_the_books_agree_with_the_reference_model(seed):
    made, ledger = paid(seed, 1500)
    wanted = expected(made)
    assert ledger.totals == wanted.totals
    assert ledger.alerts == {
        user: [line(alert["kind"], user, alert["total"]) for alert in alerts]
        for user, alerts in wanted.alerts_by_user.items()
    }
    assert ledger.due == sum(len(alerts) for alerts in ledger.alerts.values())


def test_every_malformed_payment_is_counted_and_is_malformed():
    made, ledger = paid(4, 8 * EVERY_MALFORMED)
    assert ledger.malformed == len(expected(made).dead) == 8


def test_good_payments_are_keyed_by_their_user():
    made, _ = paid(5, EVERY_MALFORMED - 1)
    assert all(json.loads(payment.value)["user"].encode() == payment.key for payment in made)


DUE = {"Fido": ["a", "b", "a"], "Rex": ["c"]}


def test_the_alerts_that_were_due_are_right():
    assert judge(DUE, {"Rex": ["c"], "Fido": ["a", "b", "a"]}) == Verdict()
    assert judge({}, {}).ok


def test_a_missing_alert_is_found():
    assert judge(DUE, {"Fido": ["a", "b", "a"]}) == Verdict(missing=1)
    assert not judge(DUE, {"Fido": ["a", "b"], "Rex": ["c"]}).ok


def test_a_wrong_alert_is_found():
    assert judge(DUE, {"Fido": ["a", "b", "x", "a"], "Rex": ["c"]}) == Verdict(wrong=1)
    assert judge(DUE, {**DUE, "Max": ["d"]}) == Verdict(wrong=1)


def test_alerts_in_another_order_are_wrong():
    assert not judge(DUE, {"Fido": ["b", "a", "a"], "Rex": ["c"]}).ok


def test_an_alert_that_came_again_is_only_repeated():
    verdict = judge(DUE, {"Fido": ["a", "b", "b", "a"], "Rex": ["c", "c"]})
    assert verdict == Verdict(repeated=2)
    assert verdict.ok


@given(st.dictionaries(st.sampled_from(["Fido", "Rex"]), st.lists(st.sampled_from("abc"))), st.data())
def test_a_batch_that_is_written_again_is_repeated_and_never_wrong(due, data):
    user = data.draw(st.sampled_from(["Fido", "Rex"]))
    alerts = due.get(user, [])
    end = data.draw(st.integers(0, len(alerts)))
    start = data.draw(st.integers(0, end))
    verdict = judge(due, {**due, user: [*alerts[:end], *alerts[start:]]})
    assert verdict.ok
    assert verdict.repeated == end - start
