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


def restored(*polls):
    """Read the polls, each of records (key, value), and return what is known of the changelog then."""
    restoration = Restoration(Partition("in", 0), 0, {}, changelogs={"log": RestoredChangelog()})
    restoration.records["totals"] = 0
    reading = _Reading(restoration, Store(), 10)
    for number, records in enumerate(polls):
        reading.take("log", [message(number * 10 + n, *record) for n, record in enumerate(records)])
    return restoration.changelogs["log"]


WRITTEN = (b"rex", b"1"), (POSITION_KEY, POSITION.encode())
END = (END_KEY, None)


@pytest.mark.parametrize("polls", [[WRITTEN], [(*WRITTEN, END)], [WRITTEN, (END,)]])
def test_a_position_holds_for_all_that_is_in_front_of_it(polls):
    found = restored(*polls)
    assert found.position == POSITION
    assert not found.superseded


@pytest.mark.parametrize("polls", [[(*WRITTEN, (b"rex", b"2"))], [WRITTEN, ((b"rex", b"2"), END), (END,)]])
def test_a_record_behind_it_is_from_a_version_that_writes_no_positions(polls):
    assert restored(*polls).superseded
