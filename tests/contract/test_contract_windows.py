"""Contract 1.4 and 1.5: aggregations, windows and units of time."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallaroo


class Sum(wallaroo.Aggregation):
    def initial_accumulator(self):
        return [0]

    def update(self, message, acc):
        acc[0] += message

    def combine(self, acc1, acc2):
        return [acc1[0] + acc2[0]]

    def output(self, key, acc):
        return key, acc[0]


class Duck:
    """The protocol without the base class."""

    def name(self):
        return "duck"

    initial_accumulator, update = Sum.initial_accumulator, Sum.update
    combine, output = Sum.combine, Sum.output


def test_an_aggregation_is_called_after_its_class():
    assert Sum().name() == "Sum"


def test_an_aggregation_instance_returns_itself_when_called():
    aggregation = Sum()
    assert aggregation() is aggregation


def test_range_windows_tumble_and_drop_unless_told_otherwise():
    windows = wallaroo.range_windows(10).over(Sum)
    assert (windows.range, windows.slide, windows.delay, windows.late_data_policy) == (10, 10, 0, "drop")


def test_over_makes_an_instance_of_the_aggregation():
    assert isinstance(wallaroo.range_windows(10).over(Sum).aggregation, Sum)
    assert isinstance(wallaroo.count_windows(10).over(Sum).aggregation, Sum)


def test_over_takes_an_instance_of_an_aggregation_as_well():
    aggregation = Sum()
    assert wallaroo.count_windows(10).over(aggregation).aggregation is aggregation


def test_the_base_class_is_not_required():
    assert wallaroo.range_windows(10).over(Duck).name() == "duck"


def test_a_built_in_function_may_be_a_method_of_an_aggregation():
    largest = type("Largest", (Sum,), {"update": staticmethod(max), "combine": staticmethod(max)})
    assert wallaroo.range_windows(10).over(largest).name() == "Largest"


def test_windows_are_named_after_their_aggregation():
    assert wallaroo.range_windows(10).over(Sum).name() == "Sum"
    assert wallaroo.count_windows(10).over(Sum).name() == "Sum"


def test_every_specification_reaches_the_windows():
    builder = wallaroo.range_windows(wallaroo.seconds(9)).with_slide(wallaroo.seconds(3))
    windows = builder.with_delay(wallaroo.milliseconds(5)).with_late_data_policy("fire-per-message").over(Sum)
    assert (windows.range, windows.slide, windows.delay) == (9_000_000_000, 3_000_000_000, 5_000_000)
    assert windows.late_data_policy == "fire-per-message"


def test_a_builder_changes_in_place_as_the_originals_does():
    builder = wallaroo.range_windows(9)
    assert builder.with_slide(3) is builder
    assert builder.with_delay(1) is builder
    assert builder.with_late_data_policy("drop") is builder


def test_builders_have_their_classes():
    assert isinstance(wallaroo.range_windows(9), wallaroo.RangeWindowsBuilder)
    assert isinstance(wallaroo.count_windows(9), wallaroo.CountWindowsBuilder)


def test_count_windows_have_a_count_and_an_aggregation_alone():
    windows = wallaroo.count_windows(4).over(Sum)
    assert isinstance(windows, wallaroo.CountWindows)
    assert [field.name for field in dataclasses.fields(windows)] == ["count", "aggregation"]
    assert windows.count == 4


def test_finished_windows_do_not_change():
    windows = wallaroo.range_windows(9).over(Sum)
    with pytest.raises(dataclasses.FrozenInstanceError):
        windows.range = 10


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("drop", wallaroo.LateDataPolicy.DROP),
        ("fire-per-message", wallaroo.LateDataPolicy.FIRE_PER_MESSAGE),
        ("fire_per_message", wallaroo.LateDataPolicy.FIRE_PER_MESSAGE),
        ("place-in-oldest-window", wallaroo.LateDataPolicy.PLACE_IN_OLDEST_WINDOW),
        ("place_in_oldest_window", wallaroo.LateDataPolicy.PLACE_IN_OLDEST_WINDOW),
        (wallaroo.LateDataPolicy.PLACE_IN_OLDEST_WINDOW, wallaroo.LateDataPolicy.PLACE_IN_OLDEST_WINDOW),
    ],
)
def test_a_policy_has_hyphens_or_underscores_or_is_one(policy, expected):
    windows = wallaroo.range_windows(9).with_late_data_policy(policy).over(Sum)
    assert windows.late_data_policy is expected
    assert wallaroo.RangeWindows(9, 9, 0, Sum(), policy).late_data_policy is expected


@pytest.mark.parametrize(
    ("unit", "nanoseconds"),
    [
        (wallaroo.nanoseconds, 1),
        (wallaroo.microseconds, 10**3),
        (wallaroo.milliseconds, 10**6),
        (wallaroo.seconds, 10**9),
        (wallaroo.minutes, 60 * 10**9),
        (wallaroo.hours, 3600 * 10**9),
    ],
)
@given(count=st.integers(0, 10**9))
def test_a_unit_of_an_int_is_an_int_of_nanoseconds(unit, nanoseconds, count):
    assert unit(count) == count * nanoseconds
    assert type(unit(count)) is int


def test_a_unit_of_a_float_stays_a_float_which_windows_refuse():
    assert wallaroo.seconds(1.5) == 1_500_000_000
    assert type(wallaroo.seconds(1.5)) is float
