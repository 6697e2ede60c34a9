"""What is too large for its topic becomes a dead letter in the driver, as in a service."""

import pytest

import wallaroo
from wallaroo.testing import ApplicationDriver, Pace


class Texts:
    """All texts of one user."""

    def __init__(self):
        self.all = []


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.encoder
def encode(text):
    return text.encode()


@wallaroo.key_extractor
def first_letter(text):
    return text[:1]


@wallaroo.state_computation(name="repeat", state=Texts)
def repeat(text, texts):
    texts.all.append(text)
    return text * 3


@wallaroo.state_computation(name="keep", state=Texts)
def keep(text, texts):
    texts.all.append(text)
    return f"{text[:1]}{len(texts.all)}"


def driver_of(stage, **settings):
    source = wallaroo.source("texts", wallaroo.KafkaSourceConfig("in", decoder=decode))
    pipeline = source.key_by(first_letter).to(stage).to_sink(wallaroo.KafkaSinkConfig("out", encoder=encode))
    return ApplicationDriver(wallaroo.build_application("app", pipeline), **settings)


def test_a_result_that_is_too_large_is_a_dead_letter_and_the_others_are_written():
    driver = driver_of(repeat, max_message_bytes=2_000)
    for text in ("a1", "b" * 900, "a2", "c"):
        driver.send("in", text)
    driver.run()
    assert sorted(driver.read("out")) == [b"a1a1a1", b"a2a2a2", b"ccc"]
    [letter] = driver.dead_letters()
    assert letter.value == b"b" * 900
    assert "which takes 2000" in letter.message
    assert driver.state("repeat", "a").all == ["a1", "a2"]
    assert driver.state("repeat", "b") is None


def test_a_state_that_is_too_large_is_a_dead_letter_and_stays_as_it_was():
    driver = driver_of(keep, max_message_bytes=2_000)
    for text in ("a" * 900, "a" * 901, "a" * 902, "a"):
        driver.send("in", text, partition=1)
    driver.run()
    assert driver.read("out") == [b"a1", b"a2", b"a3"]
    [letter] = driver.dead_letters()
    assert letter.value == b"a" * 902
    assert [len(text) for text in driver.state("keep", "a").all] == [900, 901, 1]


def test_a_message_that_is_too_large_for_the_topic_behind_a_key_change_is_a_dead_letter():
    driver = driver_of(keep, max_message_bytes=2_000)
    driver.send("in", "x" * 2_100)
    driver.send("in", "x")
    driver.run()
    assert driver.read("out") == [b"x1"]
    [letter] = driver.dead_letters()
    assert letter.topic == "in"


@pytest.mark.parametrize("commit_every", [1, 3, None])
def test_what_is_too_large_blocks_nothing_whenever_commits_are(commit_every):
    driver = driver_of(repeat, max_message_bytes=2_000, pace=Pace(commit_every=commit_every, slice_size=2))
    for number in range(20):
        driver.send("in", f"{number % 3}" * (900 if number % 5 == 0 else 1))
    driver.run()
    assert (len(driver.read("out")), len(driver.dead_letters())) == (16, 4)


def test_by_default_a_topic_takes_what_a_service_makes_it_take():
    driver = driver_of(repeat)
    driver.send("in", "a" * 3_000_000)
    driver.send("in", "a" * 4_000_000)
    driver.run()
    assert (len(driver.read("out")), len(driver.dead_letters())) == (1, 1)
