"""What a driver says of an application, a service does: the same one in both, with a restart between."""

import json
import os
import subprocess
import sys

import pytest

from tests.kafka.cluster import produce, wait_until
from tests.kafka.service import ROOT

DRIVER = """
import json, sys
from tests.kafka import alike
from wallaroo.testing import ApplicationDriver

driver = ApplicationDriver(alike.application_setup(["alike", "in", "out"]))
for half in range(2):
    for message in json.loads(sys.argv[1]):
        driver.send("in", message, key=message)
    driver.run()
    driver.crash()
values = [value.decode() for value in driver.read("out")]
print(json.dumps([values, [letter.exception for letter in driver.dead_letters()]]))
"""
NO_EXCEPTIONS = ["cancelled", "panic", "exit", "keyboard", "generator exit", "stop iteration"]
ALLOWED = ["context", "variable", "variable", "event loop of its own", "own on first use", "thread"]
BOUND_TO_ITS_THREAD = [
    *("thread-local of import", "connection of import", "event loop of import"),
    *("signal", "shared on first use"),
]
MESSAGES = {
    "raises": ["a", *NO_EXCEPTIONS, "exit in decode", "exit in encode", "b"],
    "bound": [*ALLOWED, *BOUND_TO_ITS_THREAD],
    "serialize": ["a", "b"],
}


def in_driver(effect):
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(MESSAGES[effect])],
        cwd=ROOT,
        env={
            **os.environ,
            "EFFECT": effect,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "service"), str(ROOT)]),
        },
        capture_output=True,
        check=True,
        timeout=60,
    )
    values, dead = json.loads(ended.stdout)
    return sorted(values), sorted(dead)


def in_service(scenario, effect):
    scenario.application = "tests.kafka.alike"
    sent = 0
    out, letters = scenario.tail(scenario.out_topic), scenario.dead_letters
    for _ in range(2):
        service = scenario.launch({"EFFECT": effect}).wait_ready()
        produce(scenario.servers, scenario.in_topic, [(message, message) for message in MESSAGES[effect]])
        sent += len(MESSAGES[effect])
        wait_until(lambda: len(out.read()) + len(scenario.tail(letters).read()) >= sent)  # noqa: B023
        assert service.stop() == 0
    dead = [dict(letter.headers())["__streams.errors.exception"].decode() for letter in scenario.dead()]
    return sorted(message.value().decode() for message in out.read_to_end()), sorted(dead)


@pytest.mark.parametrize("effect", MESSAGES)
def test_a_driver_says_what_a_service_does(scenario, effect):
    assert in_service(scenario, effect) == in_driver(effect)


def test_whatever_is_raised_costs_its_own_record_and_nothing_else():
    values, dead = in_driver("raises")
    assert values == ["a 1 ", "a 2 ", "b 1 ", "b 2 "]
    assert len(dead) == 2 * (len(NO_EXCEPTIONS) + 2)


def test_what_is_bound_to_a_thread_fails_where_another_one_uses_it():
    values, dead = in_driver("bound")
    assert len(values) == 2 * len(ALLOWED)
    assert [value for value in values if "on first use" in value] == [
        "own on first use 1 (1,)",
        "own on first use 2 (2,)",
    ]
    assert len(dead) == 2 * len(BOUND_TO_ITS_THREAD)


def test_a_service_that_is_to_stop_stops_for_what_is_no_exception(scenario):
    scenario.application = "tests.kafka.alike"
    service = scenario.launch({"EFFECT": "raises"}, on_error="stop").wait_ready()
    produce(scenario.servers, scenario.in_topic, [("k", "panic")])
    assert service.wait() == 3
    assert "on_error is 'stop'" in service.words()
    assert "unwrap" in service.words()
