"""The position of a task, as a record of a changelog and as the metadata of an offset."""

from dataclasses import replace

import pytest

from tests.unit.task.fakes import PARTITIONS, changed, records, sub_topology, task
from tests.unit.task.steps import ADD, COUNTS, TOTALS, committed, count
from wallaroo.errors import StoredValueError
from wallaroo.record import Partition
from wallaroo.serde.codecs import codecs_of
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.context import ApplicationContext
from wallaroo.task.dead_letters import OnError
from wallaroo.task.position import (
    ChangelogOrigin,
    OffsetMetadata,
    Position,
    RestoredChangelog,
    encode_metadata,
    short_names,
)
from wallaroo.task.stores import new_stores
from wallaroo.task.task import Task
from wallaroo.topology.model import Repartition
from wallaroo.topology.steps import Store, Update

TWO = (Update("count", count, COUNTS), ADD)
POSITION = Position("in", "x" * 22, 5, 9, "log", {"log": ChangelogOrigin("y" * 22, 3)}, repeats=True)


def positions(batch):
    """The positions that a batch writes, by changelog."""
    return {
        c.topic: Position.decode(c.values[POSITION_KEY]) for c in batch.changes if POSITION_KEY in c.values
    }


def test_a_position_comes_back_as_it_was():
    assert Position.decode(POSITION.encode()) == POSITION


@pytest.mark.parametrize("data", [b"", b"1A", b"1A{}", b"1A[]", b"9A{}", POSITION.encode()[:-1]])
def test_what_is_no_position_is_refused(data):
    with pytest.raises(StoredValueError, match="position of a task"):
        Position.decode(data)


def test_every_batch_says_where_it_begins_and_ends_in_the_changelog_of_one_store():
    made = task(*TWO)
    made.process(records(b"1", b"2"))
    committed(made)
    made.process(records(b"3", start=2))
    found = positions(made.collect())
    assert [*found] == [COUNTS.changelog]
    assert (found[COUNTS.changelog].start, found[COUNTS.changelog].next) == (2, 3)


def test_the_first_batch_says_in_every_changelog_where_the_home_is():
    made = task(*TWO)
    made.process(records(b"1"))
    found = positions(made.collect())
    assert {name: position.home for name, position in found.items()} == {
        COUNTS.changelog: COUNTS.changelog,
        TOTALS.changelog: COUNTS.changelog,
    }


def test_a_home_that_was_found_stays_when_a_stage_comes_before_it():
    made = task(*TWO)
    old = Position("in", None, 0, 0, TOTALS.changelog, {})
    made.follow({TOTALS.changelog: RestoredChangelog(position=old)}, commit_start=False)
    made.process(records(b"1"))
    assert positions(committed(made))[COUNTS.changelog].home == TOTALS.changelog


def test_a_position_is_the_last_change_of_its_changelog():
    made = task(ADD)
    made.process(records(b"1"))
    assert POSITION_KEY in made.collect().changes[-1].values


def test_a_rolled_back_batch_begins_where_the_committed_one_ended():
    made = task(ADD)
    made.process(records(b"1"))
    committed(made)
    made.process(records(b"2", start=1))
    made.collect()
    made.rollback()
    made.process(records(b"2", b"3", start=1))
    [position] = positions(made.collect()).values()
    assert (position.start, position.next) == (1, 3)


def test_a_start_that_is_to_be_committed_is_pending_until_it_is():
    made = task(ADD, start=7)
    made.follow({}, commit_start=True)
    assert made.pending_records == 1
    batch = made.collect()
    assert (batch.next_offset, batch.records, made.pending_records) == (7, 0, 0)
    made.rollback()
    assert made.pending_records == 1
    committed(made)
    made.rollback()
    assert made.pending_records == 0


def test_at_least_once_a_last_position_says_that_the_group_is_where_the_state_is():
    made = task(ADD, exactly_once=False)
    made.process(records(b"1", b"2"))
    [position] = positions(committed(made)).values()
    assert (position.start, position.next, position.repeats) == (0, 2, True)
    made.settle()
    [position] = positions(committed(made)).values()
    assert (position.start, position.next) == (2, 2)
    made.settle()
    assert made.collect() is None


def test_exactly_once_there_is_nothing_to_settle():
    made = task(ADD)
    made.process(records(b"1"))
    committed(made)
    made.settle()
    assert made.collect() is None


def test_a_task_without_state_writes_no_position():
    made = task(decode=bytes.decode)
    made.process(records(b"1"))
    assert made.collect().changes == []


def test_a_record_with_the_key_of_positions_becomes_a_dead_letter():
    made = task(ADD)
    slices = [*records(b"1"), *records(b"2", start=1, key=POSITION_KEY), *records(b"3", start=2)]
    made.process(slices)
    made.collect()
    made.rollback()
    made.process(slices)
    batch = made.collect()
    assert batch.dead_letters == {("add", "StateError"): 1}
    assert changed(batch) == {"total": {b"k": b'1J{"total":4}'}}


def test_metadata_says_which_topics_an_offset_belongs_to():
    ids = {"in": "i" * 22, "one": "1234" + "o" * 18, "two": "5678" + "t" * 18}
    found = OffsetMetadata.decode(encode_metadata("in", ["one", "two", "unknown"], ids))
    short = short_names(["one", "two"])
    assert found == OffsetMetadata("i" * 22, {short["one"]: "1234", short["two"]: "5678"})


def test_metadata_of_five_hundred_stores_fits_into_what_a_broker_takes():
    names = [f"app-stage-{n}-changelog" for n in range(700)]
    text = encode_metadata("in", names, {"in": "i" * 22, **dict.fromkeys(names, "c" * 22)})
    assert len(text) <= 4096
    assert len(OffsetMetadata.decode(text).changelogs) == 500


def test_where_no_id_is_known_there_is_no_metadata():
    assert encode_metadata("in", ["one"], {}) == ""


@pytest.mark.parametrize("text", [None, "", "by hand", "1I", "1Ishort", "1I" + "i" * 22 + "odd"])
def test_metadata_of_others_says_nothing(text):
    assert OffsetMetadata.decode(text) is None


def feeding(*, exactly_once):
    """A task without state that writes a repartition topic."""
    hop = Repartition("user", "repartition", key=b"all")
    store = Store("sub-positions", "app-sub-positions-changelog", dict)
    sub = replace(sub_topology(targets=(hop,)), positions=store)
    codecs = codecs_of(None)
    context = ApplicationContext(
        codecs.values, PARTITIONS, "dlq", OnError.DEAD_LETTER, exactly_once=exactly_once
    )
    return Task(sub, Partition("in", 1), 0, new_stores(sub, codecs.state), context)


def test_a_task_without_state_that_feeds_others_writes_its_position_and_nothing_else():
    made = feeding(exactly_once=True)
    made.process(records(b"1", b"2"))
    batch = made.collect()
    [(name, position)] = positions(batch).items()
    assert (name, position.home, position.next) == (name, "app-sub-positions-changelog", 2)
    assert [values for values in changed(batch).values() if values] == []


def test_at_least_once_such_a_task_notes_at_its_end_that_nothing_is_open():
    made = feeding(exactly_once=False)
    made.process(records(b"1", b"2"))
    committed(made)
    made.settle()
    [position] = positions(made.collect()).values()
    assert (position.start, position.next, position.repeats) == (2, 2, True)
