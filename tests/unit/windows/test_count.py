"""Count windows, message by message."""

from tests.unit.windows.stage import Lists, Sum
from wallaroo.windows.count import Counted, is_empty


def test_messages_are_folded_into_one_accumulator():
    counted = Counted()
    counted.add(2, Sum())
    counted.add(3, Sum())
    assert (counted.count, counted.accumulator) == (2, 5)


def test_an_accumulator_may_be_changed_in_place():
    counted = Counted()
    counted.add("a", Lists())
    counted.add("b", Lists())
    assert counted.accumulator == ["a", "b"]


def test_after_an_output_it_begins_with_a_fresh_one():
    counted = Counted()
    counted.add("a", Lists())
    counted.clear()
    assert is_empty(counted)
    counted.add("b", Lists())
    assert counted.accumulator == ["b"]
