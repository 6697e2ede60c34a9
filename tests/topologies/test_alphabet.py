"""Alphabet: one output per vote, and the last one of each letter is its total."""

import struct
from collections import Counter
from random import Random

import pytest

from tests.topologies.framing import framed
from topologies.alphabet import application_setup
from wallaroo.testing import ApplicationDriver

OUT = "127.0.0.1:7002"
ARGS = ["alphabet", "--in", "Votes@127.0.0.1:7010", "--out", OUT]


@pytest.fixture
def driver():
    return ApplicationDriver(application_setup(ARGS))


def votes(seed, many):
    """Letters of the alphabet, each with up to a hundred votes."""
    rng = Random(seed)  # noqa: S311 - the same votes on every run
    return [(rng.choice("abcdefghijklmnopqrstuvwxyz"), rng.randint(1, 100)) for _ in range(many)]


def record(letter, number):
    return struct.pack(">sI", letter.encode(), number)


def vote(driver, ballots, connection=0):
    driver.send_frames("votes", framed(*[record(*ballot) for ballot in ballots]), connection)
    driver.run()


def outputs(driver):
    lines = b"".join(driver.read(OUT)).decode().splitlines()
    return [(letter, int(total)) for letter, _, total in (line.partition(" => ") for line in lines)]


def totals(ballots):
    counted = Counter()
    for letter, number in ballots:
        counted[letter] += number
    return counted


def test_a_thousand_votes_are_a_thousand_outputs_and_the_last_of_each_letter_is_its_total(driver):
    ballots = votes(seed=1, many=1_000)
    vote(driver, ballots)
    assert len(outputs(driver)) == 1_000
    assert dict(outputs(driver)) == totals(ballots)


def test_the_total_of_a_letter_grows_with_every_vote(driver):
    vote(driver, [("a", 3), ("b", 10), ("a", 4), ("a", 0)])
    assert [total for letter, total in outputs(driver) if letter == "a"] == [3, 7, 7]


def test_a_record_is_nine_bytes_with_its_header():
    assert framed(record("a", 1)) == b"\0\0\0\5a\0\0\0\1"


def test_votes_over_several_connections_and_a_crash_in_between_are_counted_once(driver):
    ballots = votes(seed=2, many=300)
    for connection in range(3):
        vote(driver, ballots[connection::3], connection)
        driver.crash()
    assert dict(outputs(driver)) == totals(ballots)


def test_a_record_of_another_length_is_a_dead_letter(driver):
    driver.send_frames("votes", framed(b"a\0\0\0", record("a", 1)))
    driver.run()
    assert [letter.value for letter in driver.dead_letters()] == [b"a\0\0\0"]
    assert outputs(driver) == [("a", 1)]
