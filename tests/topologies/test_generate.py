"""The streams that other tests feed: repeatable, and as nasty as they claim to be."""

import pytest

from tests.topologies.generate import USERS, Mix, transactions
from tests.topologies.malformed import MALFORMED
from tests.topologies.reference import expected, parse

MIX = Mix(users=100, overflows=0.02, megabytes=2)


def test_the_same_seed_gives_the_same_stream():
    assert transactions(7, 200, MIX) == transactions(7, 200, MIX)
    assert transactions(7, 200, MIX) != transactions(8, 200, MIX)


def test_a_stream_holds_everything_that_is_promised():
    stream = transactions(1, 5000, MIX)
    values = [value for _, value in stream]
    assert len(stream) == 5000
    assert set(MALFORMED.values()) <= set(values)
    assert set(USERS) <= expected(stream).totals.keys()
    assert [len(value or b"") for value in values].count(1_000_000) == 2
    assert sum(key is None and parse(value) is not None for key, value in stream) > 20
    assert expected(stream).failed


def test_without_overflows_only_malformed_values_die():
    result = expected(transactions(2, 5000))
    assert not result.failed
    assert set(result.dead) <= set(MALFORMED.values())


@pytest.mark.parametrize("keyed_by_user", [True, False])
def test_all_transactions_of_a_user_share_a_key(keyed_by_user):
    stream = transactions(3, 3000, Mix(keyed_by_user=keyed_by_user))
    pairs = {(parse(value)[0], key) for key, value in stream if parse(value)}
    users = [user for user, _ in pairs]
    assert len(users) == len(set(users))
    assert (("Fido", b"Fido") in pairs) is keyed_by_user
