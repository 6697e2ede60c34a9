"""What is missing where a group has the offsets of a commit that failed."""

from wallaroo.engine.hole import missing_results
from wallaroo.record import Partition
from wallaroo.task.position import OffsetMetadata

FIRST, SECOND = Partition("in", 0), Partition("in", 1)
STARTS = {FIRST: 10, SECOND: 20}
ENDS = {FIRST: 15, SECOND: 28}


def missing(committed):
    return missing_results("group", STARTS, ENDS, committed)


def test_nothing_is_missing_where_the_group_is_at_the_start_of_the_commit():
    assert missing({FIRST: 10, SECOND: 20}) is None


def test_nothing_is_missing_where_the_group_has_committed_nothing_yet():
    assert missing({FIRST: -1001}) is None


def test_the_offsets_that_are_missing_are_named_with_the_commands_that_lead_out():
    text = str(missing({FIRST: 15, SECOND: 20}))
    assert "group group has committed the offsets in[0] 10 to 14, " in text
    assert "--topic in:0 --reset-offsets --to-offset 10 --execute" in text
    assert "in[1]" not in text


def test_the_offsets_that_are_missing_are_to_be_marked():
    [mark] = missing({FIRST: 15, SECOND: 20}).marks
    assert (mark.topic, mark.partition, mark.offset) == ("in", 0, 15)
    assert OffsetMetadata.decode(mark.metadata).hole == 10


def test_what_another_owner_has_committed_since_is_not_missing():
    assert missing({FIRST: 16, SECOND: 20}) is None
