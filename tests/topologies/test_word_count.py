"""Word count: every word of every line, with how often it has come by then."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis.strategies import lists, text

from tests.topologies.framing import framed
from topologies.word_count import application_setup
from wallaroo.testing import ApplicationDriver

OUT = "127.0.0.1:7002"
ARGS = ["word_count", "--in", "Lines@127.0.0.1:7010", "--out", OUT]

ARTICLES = """\
All human beings are born free and equal in dignity and rights.
They are endowed with reason and conscience,
and should act towards one another in a spirit of brotherhood!

Everyone has the right to life, liberty and the security of person.
No one shall be held in slavery or servitude; slavery and the slave trade
shall be prohibited in all their forms.
"""


@pytest.fixture
def driver():
    return ApplicationDriver(application_setup(ARGS))


def count(driver, *lines, connection=0):
    driver.send_frames("lines", framed(*[line.encode() for line in lines]), connection)
    driver.run()


def outputs(driver):
    """(word, count) in the order of the outbox, which is that of each word."""
    lines = b"".join(driver.read(OUT)).decode().splitlines()
    return [(word, int(times)) for word, _, times in (line.partition(" => ") for line in lines)]


def final(driver):
    return dict(outputs(driver))


def test_each_word_of_each_line_is_one_output(driver):
    count(driver, *ARTICLES.splitlines())
    assert len(outputs(driver)) == len(ARTICLES.split())


def test_the_last_count_of_each_word_is_how_often_it_came(driver):
    count(driver, *ARTICLES.splitlines())
    words = [word.strip(".,;!").lower() for word in ARTICLES.split()]
    assert final(driver) == Counter(words)
    assert final(driver)["and"] == 6


def test_the_count_of_a_word_goes_up_by_one_each_time(driver):
    count(driver, "to be, or not to be: to be!")
    counts = [times for word, times in outputs(driver) if word == "to"]
    assert counts == [1, 2, 3]


def test_case_and_punctuation_make_no_other_word_but_an_apostrophe_inside_does(driver):
    count(driver, "Don't (dont) \"DON'T\" -- don't;")
    assert final(driver) == {"don't": 3, "dont": 1}


def test_a_blank_line_and_an_empty_frame_are_no_words(driver):
    count(driver, "", "   ", " -- ...")
    assert outputs(driver) == []
    assert driver.dead_letters() == []


def test_lines_of_several_senders_are_counted_together(driver):
    for connection in range(6):
        count(driver, "word", connection=connection)
    assert final(driver) == {"word": 6}


def test_counts_go_on_after_a_crash(driver):
    count(driver, "one two")
    driver.crash()
    count(driver, "two three")
    assert final(driver) == {"one": 1, "two": 2, "three": 1}


def test_what_is_no_text_is_a_dead_letter_and_holds_up_nothing(driver):
    driver.send_frames("lines", framed(b"good", b"\xff\xfe", b"good"))
    driver.run()
    (letter,) = driver.dead_letters()
    assert (letter.value, letter.stage, letter.exception) == (
        b"\xff\xfe",
        "lines",
        "builtins.UnicodeDecodeError",
    )
    assert final(driver) == {"good": 2}


@given(lists(text(alphabet="ab .'\n", max_size=12), max_size=6))
def test_no_text_counts_a_word_twice_or_leaves_one_out(lines):
    driver = ApplicationDriver(application_setup(ARGS))
    count(driver, *lines)
    words = [word.strip(".'") for line in lines for word in line.split()]
    assert final(driver) == Counter(word for word in words if word)
