"""What the open windows of a key hold, and what is left when one has fired."""

import wallaroo
from wallaroo.windows.aggregate import add, alone
from wallaroo.windows.grid import Contents, Grid, is_empty, oldest_place

GRID = Grid(9, 3, 0)


class Calls(wallaroo.Aggregation):
    """Notes what it is asked for."""

    def __init__(self):
        self.calls = []

    def initial_accumulator(self):
        self.calls.append("initial")
        return ()

    def update(self, message, made):
        self.calls.append("update")
        return (*made, message)

    def combine(self, one, other):
        self.calls.append("combine")
        return one + other

    def output(self, key, made):
        self.calls.append("output")
        return made


def holding(*messages):
    """Contents with these (value, moment)."""
    contents, aggregation = Contents(), Calls()
    for value, moment in messages:
        pane = moment // GRID.pane
        contents.opens(GRID.oldest_window(pane))
        add(aggregation, contents.panes, pane, value)
    return contents, aggregation


def test_a_message_costs_one_update_however_many_windows_overlap():
    _, aggregation = holding(("a", 10), ("b", 11))
    assert aggregation.calls == ["initial", "update", "update"]


def test_a_window_combines_its_panes_in_order_of_time():
    contents, aggregation = holding(("c", 8), ("a", 1), ("b", 5), ("d", 9))
    aggregation.calls.clear()
    assert contents.fold(0, GRID, aggregation) == ("a", "b", "c")
    assert aggregation.calls == ["initial", "combine", "combine", "combine"]


def test_what_came_late_for_one_window_is_combined_first_and_with_no_other():
    contents, aggregation = holding(("a", 7))
    contents.extras[1] = ("late",)
    assert contents.fold(1, GRID, aggregation) == ("late", "a")
    assert contents.fold(0, GRID, aggregation) == ("a",)
    contents.close(1, GRID)
    assert contents.extras == {}


def test_panes_without_messages_are_not_combined():
    contents, aggregation = holding(("a", 1), ("b", 8))
    aggregation.calls.clear()
    contents.fold(0, GRID, aggregation)
    assert aggregation.calls.count("combine") == 2


def test_a_pane_goes_with_the_last_of_its_windows():
    contents, _ = holding(("a", 10))
    fired = []
    while not is_empty(contents):
        fired.append(contents.window)
        contents.close(contents.window, GRID)
    assert fired == [1, 2, 3]
    assert contents.panes == contents.extras == {}


def test_windows_without_messages_are_passed_over():
    contents, _ = holding(("a", 1), ("b", 10**9))
    contents.window = 0
    contents.close(0, GRID)
    assert contents.window == (10**9) // 3 - 2


def test_the_next_window_to_fire_is_the_oldest():
    contents = Contents()
    assert contents.opens(5)
    assert not contents.opens(5)
    assert not contents.opens(7)
    assert contents.opens(3)
    assert contents.window == 3


def test_contents_are_sound_if_the_next_window_holds_something_and_nothing_is_older():
    contents, _ = holding(("a", 10))
    assert contents.is_sound(GRID)
    contents.window = 0
    assert not contents.is_sound(GRID)
    contents.window = 4
    assert not contents.is_sound(GRID)
    contents.window = None
    assert not contents.is_sound(GRID)
    assert Contents().is_sound(GRID)


def test_a_late_message_goes_into_the_oldest_window_that_holds_something():
    contents, _ = holding(("a", 28))
    contents.window = 9
    held, index, window = oldest_place(contents, GRID, watermark=30)
    assert (held is contents.extras, index, window) == (True, 9, 9)


def test_or_else_into_the_first_pane_of_the_oldest_that_is_not_past_due():
    contents = Contents()
    held, index, window = oldest_place(contents, GRID, watermark=30)
    assert (held is contents.panes, index, window) == (True, 8, 8)


def test_the_first_pane_will_do_where_no_older_window_is_open():
    contents, _ = holding(("a", 28))
    contents.window = 8
    held, index, _ = oldest_place(contents, GRID, watermark=30)
    assert (held is contents.panes, index) == (True, 8)


def test_a_message_alone_is_updated_into_a_fresh_accumulator():
    aggregation = Calls()
    assert alone(aggregation, "a") == ("a",)
    assert aggregation.calls == ["initial", "update"]


def test_an_accumulator_may_be_none():
    class Latest(Calls):
        def initial_accumulator(self):
            return None

        def update(self, message, made):
            return message

    held = {}
    add(Latest(), held, 0, "a")
    add(Latest(), held, 0, "b")
    assert held == {0: "b"}
