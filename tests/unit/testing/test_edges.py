"""The driver's TCP connections and generators: the real framing, and positions that survive a crash."""

import struct

import pytest

import wallaroo
from tests.samples import KAFKA_SINK, generator_source, tcp_source, total
from wallaroo.errors import FramingError, WallarooParameterError
from wallaroo.testing import ApplicationDriver


class Numbers:
    """1, 2, 3, ... up to an end; what comes next is in the object."""

    def __init__(self, end):
        self.end = end
        self.made = 1

    def initial_value(self):
        return 1

    def apply(self, _previous):
        self.made += 1
        return self.made if self.made <= self.end else None


class Failing(Numbers):
    def apply(self, previous):
        if previous == 3:
            raise ValueError("three is enough")
        return super().apply(previous)


def tcp_driver(**limits):
    pipeline = tcp_source("texts", **limits).to_sink(KAFKA_SINK)
    return ApplicationDriver(wallaroo.build_application("app", pipeline))


def generator_driver(generator):
    return ApplicationDriver(adding_up(generator))


def adding_up(generator):
    pipeline = generator_source("numbers", generator).to(total).to_sink(KAFKA_SINK)
    return wallaroo.build_application("app", pipeline)


def framed(*payloads):
    return b"".join(struct.pack(">H", len(payload)) + payload for payload in payloads)


def totals(end):
    return [b"%d" % (number * (number + 1) // 2) for number in range(1, end + 1)]


def test_frames_are_decoded_whatever_pieces_they_come_in():
    driver = tcp_driver()
    for byte in framed(b"hello", b"", b"world"):
        driver.send_frames("texts", bytes([byte]))
    driver.run()
    assert driver.read("out") == [b"hello", b"", b"world"]


def test_pieces_of_two_connections_do_not_mix():
    driver = tcp_driver()
    driver.send_frames("texts", framed(b"one")[:3], connection=1)
    driver.send_frames("texts", framed(b"two"), connection=2)
    driver.send_frames("texts", framed(b"one")[3:], connection=1)
    driver.run()
    assert sorted(driver.read("out")) == [b"one", b"two"]


def test_a_connection_goes_to_a_partition_of_its_own():
    driver = tcp_driver()
    for connection in range(5):
        driver.send_frames("texts", framed(b"x"), connection)
    assert [record.partition for record in driver.records("app-texts-ingest")] == [0, 1, 2, 3, 0]


def test_a_message_has_the_time_at_which_it_was_received():
    driver = tcp_driver()
    driver.advance(1_234)
    driver.send_frames("texts", framed(b"x"))
    driver.advance(1_000)
    driver.run()
    assert [record.timestamp_ms for record in driver.records("out")] == [1_234]


def test_a_frame_beyond_the_limit_is_an_error_behind_the_frames_before_it():
    driver = tcp_driver(max_size=3)
    with pytest.raises(FramingError, match="announces 4 bytes, of at most 3"):
        driver.send_frames("texts", framed(b"abc", b"abcd"))
    driver.send_frames("texts", framed(b"new"))
    driver.run()
    assert driver.read("out") == [b"abc", b"new"]


def test_a_crash_breaks_connections_and_loses_half_a_frame_but_nothing_whole():
    driver = tcp_driver()
    driver.send_frames("texts", framed(b"whole", b"half")[:-1])
    driver.crash()
    driver.send_frames("texts", framed(b"again"))
    driver.run()
    assert driver.read("out") == [b"whole", b"again"]


def test_generated_values_are_processed_in_their_order():
    driver = generator_driver(Numbers(end=100))
    assert driver.generate("numbers", 10) == 10
    driver.run()
    assert driver.read("out") == totals(10)


def test_a_crash_neither_repeats_nor_skips_a_value():
    driver = generator_driver(Numbers(end=100))
    for _ in range(10):
        driver.generate("numbers", 3)
        driver.crash()
    driver.run()
    assert driver.read("out") == totals(30)


def test_a_generator_ends_for_good():
    driver = generator_driver(Numbers(end=4))
    assert driver.generate("numbers", 10) == 4
    assert driver.generate("numbers", 10) == 0
    driver.crash()
    assert driver.generate("numbers", 10) == 0
    driver.run()
    assert driver.read("out") == totals(4)


def test_a_generator_that_fails_says_so_and_writes_nothing_of_what_it_was_asked_for():
    driver = generator_driver(Failing(end=10))
    driver.generate("numbers", 1)
    with pytest.raises(ValueError, match="three is enough"):
        driver.generate("numbers", 5)
    assert driver.generate("numbers", 1) == 1
    driver.run()
    assert driver.read("out") == totals(2)


def test_two_drivers_of_one_application_do_not_disturb_each_other():
    application = adding_up(Numbers(end=9))
    first, second = ApplicationDriver(application), ApplicationDriver(application)
    first.generate("numbers", 5)
    second.generate("numbers", 5)
    second.run()
    assert second.read("out") == totals(5)


@pytest.mark.parametrize("name", ["typo", "out", "app-texts-ingest"])
def test_a_source_that_there_is_not_is_refused_with_those_that_there_are(name):
    with pytest.raises(WallarooParameterError, match=rf"no TCP source '{name}'; there are 'texts'"):
        tcp_driver().send_frames(name, b"")
    with pytest.raises(WallarooParameterError, match=rf"no generator '{name}'; there are none"):
        tcp_driver().generate(name, 1)
