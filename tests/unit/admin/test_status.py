"""What a status says of members, of the pace of a group, and of an application as a whole."""

import pytest

from wallaroo.admin.status import (
    ApplicationStatus,
    GroupStatus,
    MemberStatus,
    PartitionStatus,
    has_open,
    members_of,
    owners_by_partition,
    rate,
)
from wallaroo.cli.status import _lines, _shown
from wallaroo.kafka.members import Member

MEMBERS = [
    Member("app-add-i2-0", "10.0.0.3", frozenset({("in", 3)})),
    Member("app-add-i1-0@http://i1:8080", "10.0.0.2", frozenset({("in", 2), ("in", 0)})),
]
OWNERS = members_of(MEMBERS, "app-add-")
OPEN = PartitionStatus(1, "", None, 9, None, 7, 12.5)


def group(*partitions, **more):
    return GroupStatus("sub-topology", "add", "app-add", "stable", "in", OWNERS, partitions, **more)


def application(*groups):
    return ApplicationStatus("app", groups, ["app-log"], "app-dlq", 3)


def test_members_are_listed_by_instance_with_their_partitions():
    assert [
        MemberStatus("i1", "0", "10.0.0.2", [0, 2]),
        MemberStatus("i2", "0", "10.0.0.3", [3]),
    ] == OWNERS
    assert owners_by_partition(OWNERS) == {0: "i1/0", 2: "i1/0", 3: "i2/0"}


@pytest.mark.parametrize(
    ("before", "now", "seconds", "expected"),
    [
        ({("in", 0): 5, ("in", 1): 5}, {("in", 0): 9, ("in", 1): 7}, 2.0, 3.0),
        ({("in", 0): 5}, {("in", 0): 5, ("in", 1): 100}, 2.0, 0.0),
        ({}, {("in", 0): 5}, 2.0, None),
        ({("in", 0): 5}, {("in", 0): 9}, 0.0, None),
    ],
)
def test_a_pace_is_that_of_partitions_that_were_known_before(before, now, seconds, expected):
    assert rate(before, now, seconds) == expected


def test_the_lag_of_a_group_is_that_of_all_partitions_whose_lag_is_known():
    assert group(PartitionStatus(0, "", 5, 9, 4), PartitionStatus(1, "", None, 9, None)).lag == 4
    assert group(OPEN).lag is None


def test_an_open_transaction_anywhere_is_noticed():
    assert has_open(application(group(), group(OPEN)))
    assert not has_open(application(group(PartitionStatus(0, "", 5, 9, 4))))


def test_a_line_has_what_a_log_needs():
    first, second = _lines(application(group(PartitionStatus(0, "", 5, 9, 4), per_second=2.6)))
    assert first.endswith(" app-add state=stable members=2 lag=4 offsets_per_second=3")
    assert second.endswith(" missing topic app-log")
    [told] = _lines("Kafka cannot be reached")
    assert told.endswith(" Kafka cannot be reached")


def test_a_status_for_people_shows_all_of_it(capsys):
    from wallaroo.cli.output import console  # noqa: PLC0415 - of the standard output as captured

    console().print(_shown(application(group(OPEN, problem="its offsets wait")), []))
    shown = capsys.readouterr().out
    assert "at 7 for 12 s" in shown
    assert "app-add: its offsets wait" in shown
    assert "missing topic: app-log" in shown
    assert "dead letters in app-dlq: 3" in shown
