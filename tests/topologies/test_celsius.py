"""Celsius: numbers in, numbers out, in the order in which they came."""

import pytest

from topologies.celsius import application_setup
from wallaroo.errors import WallarooParameterError
from wallaroo.testing import ApplicationDriver

ARGS = ["celsius", "--kafka_source_topic", "celsius", "--kafka_sink_topic", "fahrenheit"]


@pytest.fixture
def driver():
    return ApplicationDriver(application_setup(ARGS), args=ARGS)


def convert(driver, *texts):
    for text in texts:
        driver.send("celsius", text, partition=0)
    driver.run()
    return driver.read("fahrenheit")


def test_degrees_are_converted_in_order_and_written_with_six_places(driver):
    wanted = [b"32.000000", b"212.000000", b"-40.000000", b"98.600000"]
    assert convert(driver, "0", "100", "-40", "37.0") == wanted


def test_the_numbers_from_1_to_100(driver):
    wanted = [f"{1.8 * number + 32:.6f}".encode() for number in range(1, 101)]
    assert convert(driver, *map(str, range(1, 101))) == wanted


def test_what_is_no_number_is_zero_degrees(driver):
    assert convert(driver, "warm", "", "1,5") == [b"32.000000"] * 3
    assert driver.dead_letters() == []


def test_an_output_has_no_key(driver):
    convert(driver, "1")
    assert [record.key for record in driver.records("fahrenheit")] == [None]


def test_without_a_topic_on_the_command_line_it_says_which_option_is_missing():
    with pytest.raises(WallarooParameterError, match="--kafka_source_topic"):
        ApplicationDriver(application_setup(["celsius"]), args=["celsius"])
