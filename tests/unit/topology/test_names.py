"""Names on the cluster are made of the user's own, and never twice."""

import pytest

from wallaroo.errors import TopologyError
from wallaroo.topology.names import Names, slug


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("total", "total"),
        ("check transaction total", "check-transaction-total"),
        ("Check  Total!", "check-total"),
        ("extract_user", "extract-user"),
        ("größe", "gr-e"),
        ("__a.b__", "a-b"),
        ("2nd", "2nd"),
    ],
)
def test_a_slug_holds_what_kafka_allows(name, made):
    assert slug(name) == made


@pytest.mark.parametrize("name", ["", " ", "日本", "..."])
def test_a_name_without_a_letter_is_refused(name):
    with pytest.raises(TopologyError, match="no letter or digit"):
        slug(name)


def test_names_begin_with_the_application_id():
    names = Names("app")
    assert names.topic("total", "changelog") == "app-total-changelog"
    assert names.group("total") == "app-total"
    assert names.dead_letters() == "app-dlq"


def test_a_name_is_taken_once():
    names = Names("app")
    assert names.free("total")
    names.take("total", "this")
    assert not names.free("total")
    with pytest.raises(TopologyError, match="that and this would both be called 'total'"):
        names.take("total", "that")


def test_one_owner_cannot_take_a_name_twice_either():
    names = Names("app")
    names.take("total", "this")
    with pytest.raises(TopologyError, match="this and this would both"):
        names.take("total", "this")


@pytest.mark.parametrize("make", [lambda n: n.topic("x" * 240, "changelog"), lambda n: n.group("x" * 246)])
def test_names_longer_than_kafka_allows_are_refused(make):
    with pytest.raises(TopologyError, match=r"has 25\d characters; Kafka allows 249"):
        make(Names("app"))
