"""Times on the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallaroo.cli.times import shown_time, time_ms
from wallaroo.errors import SettingsError

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", NOW),
        ("15m", NOW - 900_000),
        ("2h", NOW - 7_200_000),
        ("3d", NOW - 259_200_000),
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:01.500+01:00", 1_500),
    ],
)
def test_a_time_is_that_of_a_zone_or_so_long_ago(text, expected):
    assert time_ms(text, NOW, "--since") == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2h30m", "-2h", "2026-12-01", "2026-12-01T08:00:00", "12"])
def test_what_is_no_time_is_refused_with_the_option_and_the_form(text):
    with pytest.raises(SettingsError, match="--since takes a time with its zone, as 2026"):
        time_ms(text, NOW, "--since")


@given(st.integers(0, 2**41))
def test_a_time_that_is_shown_can_be_given(milliseconds):
    assert time_ms(shown_time(milliseconds), NOW, "--since") == milliseconds
