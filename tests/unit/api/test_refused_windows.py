"""What window builders and aggregations refuse, and how they say so."""

import pytest

import wallaroo
from tests.samples import Count


def refused(match):
    return pytest.raises(wallaroo.WallarooParameterError, match=match)


NO_SPAN = [0, -1, 1.5, wallaroo.seconds(1.5), "9", None, True]


@pytest.mark.parametrize("span", NO_SPAN)
def test_a_range_is_a_positive_int_of_nanoseconds(span):
    with refused("the range must be an int of at least 1.*wallaroo.seconds"):
        wallaroo.range_windows(span)


@pytest.mark.parametrize("span", NO_SPAN)
def test_a_gap_is_a_positive_int_of_nanoseconds(span):
    with refused("the gap must be an int of at least 1.*wallaroo.seconds"):
        wallaroo.session_windows(span)
    with refused("the gap must be an int of at least 1"):
        wallaroo.SessionWindows(span, 0, Count())


@pytest.mark.parametrize("builder", [wallaroo.range_windows(9), wallaroo.session_windows(9)])
@pytest.mark.parametrize("every", [0, -1, 1.5, "9", True])
def test_early_results_are_a_positive_int_of_nanoseconds_apart(builder, every):
    with refused("every must be an int of at least 1.*wallaroo.seconds"):
        builder.with_early_results(every=every)


@pytest.mark.parametrize("builder", [wallaroo.range_windows(9), wallaroo.session_windows(9)])
def test_early_results_are_every_so_often_or_with_every_message(builder):
    assert builder.over(Count).early is None
    assert builder.with_early_results().over(Count).early == 0
    with refused(r"Only call `with_early_results\(\)` once"):
        builder.with_early_results(every=3)


def test_sessions_take_the_delay_and_the_policy_of_range_windows():
    windows = wallaroo.session_windows(9).with_delay(3).with_late_data_policy("fire-per-message").over(Count)
    assert (windows.gap, windows.delay, windows.late_data_policy) == (9, 3, "fire-per-message")
    with refused("would hold every result back for more than a year"):
        wallaroo.session_windows(9).with_delay(wallaroo.days(367))
    with refused("Invalid value for late_data_policy"):
        wallaroo.session_windows(9).with_late_data_policy("ignore")


@pytest.mark.parametrize("span", NO_SPAN)
def test_a_slide_is_a_positive_int_of_nanoseconds(span):
    builder = wallaroo.range_windows(9)
    with refused("the slide must be an int of at least 1.*wallaroo.seconds"):
        builder.with_slide(span)


@pytest.mark.parametrize("span", [-1, 1.5, "9", None, False])
def test_a_delay_is_an_int_of_nanoseconds_that_is_not_negative(span):
    builder = wallaroo.range_windows(9)
    with refused("the delay must be an int of at least 0.*wallaroo.seconds"):
        builder.with_delay(span)


def test_a_slide_longer_than_the_range_is_refused():
    builder = wallaroo.range_windows(9)
    with refused("the slide 10 is longer than the range 9"):
        builder.with_slide(10)


def test_a_slide_as_long_as_the_range_is_tumbling():
    assert wallaroo.range_windows(9).with_slide(9).over(Count).slide == 9


@pytest.mark.parametrize("offset", [9, -9, 1.5, "1", None, True])
def test_an_offset_is_an_int_that_is_shorter_than_the_slide(offset):
    with refused(f"the offset must be an int of less than 9 either way, not {offset!r}"):
        wallaroo.range_windows(9).with_offset(offset)


@pytest.mark.parametrize("offset", [8, -8, 0])
def test_an_offset_may_be_negative(offset):
    assert wallaroo.range_windows(9).with_offset(offset).over(Count).offset == offset


def test_a_slide_that_is_no_longer_than_the_offset_is_refused():
    with refused("the offset must be an int of less than 3 either way"):
        wallaroo.range_windows(9).with_offset(5).with_slide(3)


TEN_SECONDS, DAY = wallaroo.seconds(10), wallaroo.days(1)


@pytest.mark.parametrize(
    ("length", "slide", "windows"),
    [
        (TEN_SECONDS, 1, "10,000,000,000"),
        (TEN_SECONDS, 1_000, "10,000,000"),
        (DAY, wallaroo.milliseconds(1), "86,400,000"),
        (100_001, 1, "100,001"),
        (100_001 * 7 - 1, 7, "100,001"),
    ],
)
def test_a_slide_that_puts_a_message_into_very_many_windows_is_refused(length, slide, windows):
    with refused(
        f"in {windows} windows of .* 100,000 is the limit; durations are nanoseconds: use wallaroo.mi"
    ):
        wallaroo.range_windows(length).with_slide(slide)
    with refused(f"in {windows} windows"):
        wallaroo.RangeWindows(length, slide, 0, Count())


@pytest.mark.parametrize(
    ("length", "slide"), [(DAY, wallaroo.seconds(1)), (100_000, 1), (TEN_SECONDS, wallaroo.milliseconds(1))]
)
def test_as_many_windows_as_seconds_in_a_day_are_none_too_many(length, slide):
    assert wallaroo.range_windows(length).with_slide(slide).over(Count).slide == slide


@pytest.mark.parametrize("delay", [wallaroo.days(366) + 1, wallaroo.seconds(wallaroo.seconds(1))])
def test_a_delay_of_years_is_refused(delay):
    with refused("would hold every result back for more than a year; durations are nanoseconds"):
        wallaroo.range_windows(DAY).with_delay(delay)


def test_a_delay_of_a_year_is_not():
    assert wallaroo.range_windows(9).with_delay(wallaroo.days(366)).over(Count).delay == wallaroo.days(366)


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        ((0, 1, 0), "the range must be an int"),
        ((9, 0, 0), "the slide must be an int"),
        ((9, 9, -1), "the delay must be an int"),
        ((9, 10, 0), "the slide 10 is longer than the range 9"),
    ],
)
def test_directly_made_range_windows_are_checked_as_well(numbers, match):
    with refused(match):
        wallaroo.RangeWindows(*numbers, Count(), "drop")


def test_directly_made_count_windows_are_checked_as_well():
    with refused("the count must be an int"):
        wallaroo.CountWindows(0, Count())


@pytest.mark.parametrize("count", [0, -1, 1.5, "9", None, True])
def test_a_count_is_a_positive_int(count):
    with refused("the count must be an int of at least 1"):
        wallaroo.count_windows(count)


@pytest.mark.parametrize("policy", ["ignore", "", None, "DROP", 1, "fire per message"])
def test_an_unknown_late_data_policy_is_refused(policy):
    builder = wallaroo.range_windows(9)
    with refused("Invalid value for late_data_policy: .*'place-in-oldest-window'"):
        builder.with_late_data_policy(policy)


@pytest.mark.parametrize(
    ("method", "value"),
    [("with_slide", 3), ("with_offset", 3), ("with_delay", 0), ("with_late_data_policy", "drop")],
)
def test_each_specification_is_made_once(method, value):
    builder = getattr(wallaroo.range_windows(9), method)(value)
    with refused(rf"Only call `{method}\(\)` once per window specification"):
        getattr(builder, method)(value)


@pytest.mark.parametrize("builder", [wallaroo.range_windows(9), wallaroo.count_windows(9)])
@pytest.mark.parametrize("method", ["initial_accumulator", "update", "combine", "output"])
def test_an_aggregation_has_all_methods(builder, method):
    incomplete = type("Incomplete", (Count,), {method: None})
    with refused(f"Aggregation must have method '{method}'.*the class Incomplete"):
        builder.over(incomplete)


def test_an_aggregation_without_the_base_class_names_itself():
    methods = {name: vars(Count)[name] for name in ("initial_accumulator", "update", "combine", "output")}
    with refused("Aggregation must have method 'name'"):
        wallaroo.count_windows(9).over(type("Nameless", (), methods))


def test_an_aggregation_method_without_self_is_refused():
    forgetful = type("Forgetful", (Count,), {"update": lambda input, acc: acc})  # noqa: A006
    with refused(r"method 'update' must be def update\(self, input, acc\)"):
        wallaroo.count_windows(9).over(forgetful)


def test_an_aggregation_name_is_a_name():
    blank = type("Blank", (Count,), {"name": lambda self: ""})
    with refused(r"name\(\) needs a name"):
        wallaroo.count_windows(9).over(blank)


@pytest.mark.parametrize("aggregation", [None, "Count", object()])
def test_windows_go_over_a_class(aggregation):
    with refused("the aggregation must be a class or function"):
        wallaroo.range_windows(9).over(aggregation)


def test_an_aggregation_is_made_without_arguments():
    needy = type("Needy", (Count,), {"__init__": lambda self, size: None})
    with refused("must be callable without arguments"):
        wallaroo.range_windows(9).over(needy)


@pytest.mark.parametrize("span", ["9", None, True])
def test_units_count_numbers(span):
    with refused("needs a number"):
        wallaroo.seconds(span)
