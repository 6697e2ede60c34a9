"""The metrics of a loop: what keeps the number of their series bounded."""

from wallaroo.engine.metrics import ERRORS_BY_NAME, OTHER_ERRORS, LoopMetrics
from wallaroo.observability import metrics


def dead_letters(measured):
    """By stage and error."""
    snapshot = measured.values.snapshot()
    return {labels: n for (name, labels), n in snapshot.items() if name == metrics.DEAD_LETTERS.name}


def test_only_the_first_classes_of_errors_of_a_stage_are_counted_by_name():
    measured = LoopMetrics("totals")
    measured.rejected({("add", f"Error{n}"): 2 for n in range(101)}, {})
    measured.rejected({("add", "Error0"): 1, ("add", "Error100"): 1}, {})
    counted = dead_letters(measured)
    assert len(counted) == ERRORS_BY_NAME + 1
    assert counted["add", "Error0"] == 3
    assert counted["add", OTHER_ERRORS] == 2 * (101 - ERRORS_BY_NAME) + 1


def test_many_errors_of_one_stage_leave_room_for_those_of_another():
    measured = LoopMetrics("totals")
    measured.rejected({("add", f"Error{n}"): 1 for n in range(101)}, {})
    measured.rejected({("show", "ValueError"): 1}, {})
    assert dead_letters(measured)["show", "ValueError"] == 1


def test_the_name_of_a_class_may_be_long_but_its_label_is_not():
    measured = LoopMetrics("totals")
    measured.rejected({("add", "E" * 100_000): 1}, {})
    assert list(dead_letters(measured)) == [("add", "E" * 100)]
