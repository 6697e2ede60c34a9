"""Whatever user code raises, wherever: the record becomes a dead letter, and the others come out."""

import pytest

from tests.unit.testing import raising
from tests.unit.testing.raising import OF_WINDOWS, PLACES, RAISED, STAGES, WINDOWS
from wallaroo.errors import Interrupt, StopProcessing, class_name_of

STAGE_OF = {
    "decode": "in",
    "event_time": "in",
    "extract": "key",
    "update state": "total",
    "getstate": "total",
}


@pytest.fixture(autouse=True)
def _nothing_raises_later(monkeypatch):
    monkeypatch.setattr(raising, "raised", {})


def run(pipeline, place, error, **options):
    raising.raised[place] = error
    driver = raising.driver(pipeline, **options)
    for message in ("a", "bad", "b"):
        driver.send("in", message, partition=0)
    driver.run()
    return driver


@pytest.mark.parametrize("error", RAISED, ids=class_name_of)
@pytest.mark.parametrize("place", PLACES)
def test_whatever_is_raised_in_a_stage_makes_one_dead_letter(place, error):
    driver = run(STAGES, place, error)
    assert sorted(driver.read("out")) == [b"a", b"b"]
    [letter] = driver.dead_letters()
    assert letter.stage == STAGE_OF.get(place, place)
    assert len(letter.message) <= 8_000
    assert len(letter.exception) <= 250


@pytest.mark.parametrize("error", RAISED, ids=class_name_of)
@pytest.mark.parametrize("place", OF_WINDOWS[1:])
def test_whatever_is_raised_in_a_window_makes_one_dead_letter(place, error):
    driver = run(WINDOWS, place, error)
    driver.advance(10_000)
    driver.advance(10_000)
    driver.run()
    assert sorted(driver.read("out")) == [b"a", b"b"]
    assert len(driver.dead_letters()) == 1


@pytest.mark.parametrize("error", RAISED, ids=class_name_of)
def test_whatever_is_raised_as_a_first_state_is_made_makes_dead_letters(error):
    driver = run(STAGES, "making", error)
    assert driver.read("out") == []
    assert [letter.stage for letter in driver.dead_letters()] == ["total"] * 3


@pytest.mark.parametrize("error", RAISED, ids=class_name_of)
@pytest.mark.parametrize("place", ["decode", "compute", "update state", "encode"])
def test_whatever_is_raised_stops_a_service_that_is_to_stop(place, error):
    with pytest.raises(StopProcessing, match=r"(?s)failed at .* on_error is 'stop'") as stopped:
        run(STAGES, place, error, on_error="stop")
    assert len(str(stopped.value)) < 9_000


@pytest.mark.parametrize("place", PLACES)
def test_what_comes_from_the_keyboard_is_no_failure_and_passes(place):
    with pytest.raises(Interrupt):
        run(STAGES, place, Interrupt())


def test_the_dead_letter_of_an_odd_error_says_what_is_known():
    [letter] = run(STAGES, "compute", raising.MuteError()).dead_letters()
    assert letter.exception == "tests.unit.testing.raising.MuteError"
    assert letter.message == "an error without a text, since that raised SystemExit"
