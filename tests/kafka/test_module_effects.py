"""Whatever an application's module does on import: the service works and ends, or is refused and says why."""

import time

import pytest

from tests.kafka.cluster import produce, wait_until

WORDS = [(f"k{number}", f"word {number}") for number in range(20)]
# A pool of a spawned process for each word is a new Python each time, which imports everything: seconds on a
# busy machine.
MOST_WORDS = {"pool that is ended": 3}


def launch(scenario, effect, **settings):
    scenario.application = "tests.kafka.module_effects"
    return scenario.launch({"EFFECT": effect}, **settings)


@pytest.mark.parametrize(
    "effect",
    [
        *("dict_config", "logging in a stage", "thread", "signals"),
        *("process pool", "forked pool", "pool that is ended", "nothing"),
    ],
)
def test_a_service_works_logs_and_ends_whatever_its_module_has_done(scenario, effect):
    service = launch(scenario, effect, workers=2)
    words = WORDS[: MOST_WORDS.get(effect)]
    produce(scenario.servers, scenario.in_topic, words)
    wait_until(lambda: len(scenario.tail(scenario.out_topic).read()) == len(words))
    service.wait_ready()
    assert "partitions assigned" in service.words()
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 15
    assert "partitions revoked" in service.words()
    wait_until(lambda: not service.session_lives(), 5)


def test_the_forked_processes_of_a_worker_that_is_killed_go_with_it(scenario, rng):
    service = launch(scenario, "forked pool")
    produce(scenario.servers, scenario.in_topic, WORDS)
    wait_until(lambda: len(scenario.tail(scenario.out_topic).read()) == len(WORDS))
    service.kill_worker(rng)
    wait_until(lambda: "worker restarted" in service.words())
    assert service.wait_ready().stop() == 0
    wait_until(lambda: not service.session_lives(), 5)


@pytest.mark.parametrize("effect", ["chance in a stage", "pid in a sink"])
def test_names_that_differ_from_process_to_process_are_refused(scenario, effect):
    service = launch(scenario, effect)
    assert service.wait() == 2
    assert "the application differs from one process to the next" in service.words()
    assert "Traceback" not in service.words()


def test_a_module_that_cannot_be_imported_twice_is_refused_with_its_error(scenario):
    service = launch(scenario, "fails in workers")
    assert service.wait() == 2
    assert "application failed" in service.words()
    assert "Address already in use" in service.words()


def test_properties_that_only_a_restore_would_refuse_are_refused_at_the_start(scenario):
    service = launch(scenario, "nothing", consumer="max.poll.interval.ms=5000")
    assert service.wait() == 2
    assert "max.poll.interval.ms" in service.words()
    assert "partitions assigned" not in service.words()


def test_a_poll_interval_that_fits_the_group_serves_a_restore_too(scenario):
    service = launch(scenario, "nothing", consumer="max.poll.interval.ms=20000", session_timeout_ms=10_000)
    produce(scenario.servers, scenario.in_topic, WORDS)
    wait_until(lambda: len(scenario.tail(scenario.out_topic).read()) == len(WORDS))
    assert service.wait_ready().stop() == 0


def test_a_password_stands_in_no_line_of_a_service_that_cannot_reach_kafka(scenario):
    secrets = {
        "WALLAROO_KAFKA__SASL_PASSWORD": "s3cretpassword",
        "WALLAROO_KAFKA__SASL_USERNAME": "me",
        "WALLAROO_KAFKA__SASL_MECHANISM": "PLAIN",
        "WALLAROO_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "WALLAROO_KAFKA__DEBUG": "security,conf,broker",
        "WALLAROO_LOG_LEVEL": "DEBUG",
    }
    scenario.application = "tests.kafka.module_effects"
    service = scenario.launch(secrets)
    wait_until(lambda: "a connection to Kafka is refused" in service.words())
    assert service.stop() == 0
    assert "s3cret" not in service.words()


def test_a_transaction_timeout_that_the_broker_does_not_allow_is_refused_with_its_setting(scenario):
    service = launch(scenario, "nothing", transaction_timeout_ms=2_000_000)
    assert service.wait() == 2
    assert "set transaction_timeout_ms to at most the broker's" in service.words()
