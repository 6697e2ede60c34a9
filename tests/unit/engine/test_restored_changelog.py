"""What a restore notes of a changelog: its last position, and whether anything follows that."""

from types import SimpleNamespace

import pytest

from wallaroo.engine.restore import Restoration, _Reading
from wallaroo.record import Partition
from wallaroo.state.store import END_KEY, POSITION_KEY
from wallaroo.task.position import Position, RestoredChangelog

POSITION = Position("in", None, 5, 9, "log", {})


class Store:
    name = "totals"

    def __init__(self):
        self.restored = {}

    def restore(self, key, value):
        self.restored[key] = value


def message(offset, key, value):
    return SimpleNamespace(offset=lambda: offset, key=lambda: key, value=lambda: value)


def read(*polls):
    """Read the polls, each of records (key, value)."""
    restoration = Restoration(Partition("in", 0), 0, {}, changelogs={"log": RestoredChangelog()})
    restoration.records["totals"] = 0
    reading = _Reading(restoration, Store(), 10)
    for number, records in enumerate(polls):
        reading.take("log", [message(number * 10 + n, *record) for n, record in enumerate(records)])
    return reading


def found_in(*polls):
    """What is known of the changelog after these polls."""
    return read(*polls).restoration.changelogs["log"]


WRITTEN = (b"rex", b"1S1"), (POSITION_KEY, POSITION.encode())
END = (END_KEY, None)


@pytest.mark.parametrize("polls", [[WRITTEN], [(*WRITTEN, END)], [WRITTEN, (END,)]])
def test_a_position_holds_for_all_that_is_in_front_of_it(polls):
    found = found_in(*polls)
    assert found.position == POSITION
    assert not found.superseded


LATER = (b"rex", b"1S2")


@pytest.mark.parametrize("polls", [[(*WRITTEN, LATER)], [WRITTEN, (LATER, END), (END,)]])
def test_a_record_behind_it_is_from_a_version_that_writes_no_positions(polls):
    assert found_in(*polls).superseded


FOREIGN = [
    (b"rex", b'{"total": 7}'),
    (b"rex", b""),
    (None, b"1S2"),
    (None, None),
    (POSITION_KEY, b"{}"),
]


@pytest.mark.parametrize("record", FOREIGN)
def test_what_does_not_claim_to_be_ours_is_left_out_counted_and_named_with_its_place(record, caplog):
    reading = read((*WRITTEN, record, END))
    assert reading.store.restored == {b"rex": b"1S1", END_KEY: None}
    assert reading.restoration.changelogs["log"].position == POSITION
    assert not reading.restoration.changelogs["log"].superseded
    assert reading.restoration.foreign == {"totals": 1}
    [line] = caplog.records
    assert (line.levelname, line.topic, line.partition, line.offset) == ("WARNING", "log", 0, 2)


def test_what_claims_to_be_of_a_newer_version_is_kept_to_be_refused_when_it_is_needed():
    assert read([(b"rex", b"9Z new")]).store.restored == {b"rex": b"9Z new"}
